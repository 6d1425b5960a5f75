/** Where the stores of tests keep their entries. On workerd, the store of docs/extending.md takes its place. */
export { memoryKeyValue as keyValue } from '../../src/storage/memory.ts'
