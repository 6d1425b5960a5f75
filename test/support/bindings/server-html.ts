/** The HTML that servers render for apps of the binding contract, if it cannot be in the same file as the app. */

/** The HTML of svelte-app.svelte. */
export const svelteHtml =
  '<!--[--><p id="status">starting</p> <p id="error"></p> <!----><!--[-1--><!--]--><!----><!--]-->'

/** The HTML of solid-app.ts. */
export const solidHtml = '<p data-hk="0000" id="status">starting</p><p data-hk="0001" id="error"></p>'
