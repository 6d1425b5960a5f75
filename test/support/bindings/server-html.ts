/** What servers render of the apps of the binding contract, where that cannot stand beside the app. */

/** Of svelte-app.svelte. */
export const svelteHtml =
  '<!--[--><p id="status">starting</p> <p id="error"></p> <!----><!--[-1--><!--]--><!----><!--]-->'

/** Of solid-app.ts. */
export const solidHtml = '<p data-hk="0000" id="status">starting</p><p data-hk="0001" id="error"></p>'
