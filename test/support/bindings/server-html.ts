/** The HTML that servers render for apps of the binding contract, if it cannot be in the same file as the app. */

/** The HTML of svelte-app.svelte. */
export const svelteHtml =
  '<!--[--><p id="status">starting</p> <p id="error"></p> <!----><!--[-1--><!--]--><!----><!--]-->'

/** The HTML of solid-app.ts. */
export const solidHtml = '<p data-hk="0000" id="status">starting</p><p data-hk="0001" id="error"></p>'

/** The HTML of angular-app.ts, and what Angular tells its hydration. */
export const angularHtml =
  '<app-root ngh="0" ng-server-context="other"><p id="status">starting</p><p id="error"><!--ngetn--></p><!--container-->' +
  '</app-root><script id="ng-state" type="application/json">{"__nghData__":[{"t":{"4":"t0"},"c":{"4":[]}}]}</script>'
