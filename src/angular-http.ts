export * from './bindings/angular-http.ts'
