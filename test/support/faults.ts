export * from '../../src/testing/faults.ts'
export {
  lostAnswer as resetAfterWork,
  lostRequest as reset,
  noAnswer as hang,
} from '../../src/testing/faults.ts'
