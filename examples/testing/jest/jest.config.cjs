module.exports = {
  testEnvironment: './environment.cjs',
  testMatch: ['**/*.test.cjs'],
  testTimeout: 30_000,
  // latchkey and its dependencies are ES modules, which Jest compiles
  transform: { '\\.[cm]?js$': ['babel-jest', { plugins: ['@babel/plugin-transform-modules-commonjs'] }] },
  transformIgnorePatterns: ['/node_modules/(?!(latchkey|oauth4webapi|idb-keyval)/)'],
}
