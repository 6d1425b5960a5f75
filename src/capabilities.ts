export * from './platform/browser/capabilities.ts'
