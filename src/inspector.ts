export { type Arrow, arrowOf, type Party } from './inspector/arrows.ts'
export {
  defineInspector,
  type InspectorOptions,
  type LatchkeyInspector,
  mountInspector,
} from './inspector/element.ts'
