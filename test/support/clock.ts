export { type HandClock, type HandClockOptions, handClock } from '../../src/testing/clock.ts'
