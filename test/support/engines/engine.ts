import type { Profile, Tab } from '../e2e-browser.ts'

/** The methods of a tab that every browser engine supports. */
export interface EngineTab
  extends Pick<Tab, 'goto' | 'run' | 'click' | 'fill' | 'reload' | 'back' | 'close'> {
  /** Runs an action that opens a window, and resolves with that window. */
  opening(action: () => Promise<void>): Promise<EngineTab>
  /** The page in the frame of this one. */
  framed(): Pick<Tab, 'run' | 'click'>
  isClosed(): boolean | Promise<boolean>
}

/** One user of a browser. All tabs share the same storage, which other users do not see. */
export interface EngineProfile {
  newTab(url?: string): Promise<EngineTab>
  /** Present if the driver can see them. */
  readonly requests?: Profile['requests']
  readonly console?: Profile['console']
  close(): Promise<void>
}

export interface Engine {
  readonly name: string
  newProfile(): Promise<EngineProfile>
  close(): Promise<void>
}

/** A browser engine on this machine. */
export interface FoundEngine {
  readonly name: 'Chromium' | 'Firefox' | 'WebKit'
  launch(): Promise<Engine>
}
