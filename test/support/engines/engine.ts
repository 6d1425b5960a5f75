import type { Profile, Tab } from '../e2e-browser.ts'

/** What every browser engine can be made to do. */
export interface EngineTab
  extends Pick<Tab, 'goto' | 'run' | 'click' | 'fill' | 'reload' | 'back' | 'close'> {
  /** Does something that opens a window. */
  opening(action: () => Promise<void>): Promise<EngineTab>
  isClosed(): boolean | Promise<boolean>
}

/** One user of a browser: tabs which share everything, and nothing with other users. */
export interface EngineProfile {
  newTab(url?: string): Promise<EngineTab>
  /** Where the driver sees them. */
  readonly requests?: Profile['requests']
  readonly console?: Profile['console']
  close(): Promise<void>
}

export interface Engine {
  readonly name: string
  newProfile(): Promise<EngineProfile>
  close(): Promise<void>
}

/** An engine that this machine has. */
export interface FoundEngine {
  readonly name: 'Chromium' | 'Firefox' | 'WebKit'
  launch(): Promise<Engine>
}
