/** The inspector's style sheet. Colours follow the reader's scheme; the page can set `color-scheme` on the element. */
export const css = /* css */ `
:host {
  --card: light-dark(#ffffff, #182030);
  --well: light-dark(#f1f4f9, #111826);
  --ink: light-dark(#16223a, #e8edf6);
  --soft: light-dark(#55627a, #9dabc2);
  --line: light-dark(#d3dae5, #2b364a);
  --edge-line: light-dark(#7f8ba1, #6a7a96);
  --brass: #f0b429;
  --client: light-dark(#1c3d8f, #9db8ff);
  --as: light-dark(#7a2f9c, #dba6f2);
  --rs: light-dark(#00695c, #63cfc0);
  --good: light-dark(#1b6e3a, #7fd39b);
  --bad: light-dark(#b3261e, #ff9d92);
  --sans: -apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, "Noto Sans", Ubuntu, Cantarell,
    "DejaVu Sans Condensed", sans-serif;
  --mono: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  color-scheme: light dark;
  display: block;
  height: 100%;
  container-type: inline-size;
  color: var(--ink);
  font: 0.875rem / 1.45 var(--sans);
  text-align: left;
}
:host([hidden]), :host([docked]:not([open])) .panel, :host(:not([docked])) :is(.toggle, .close),
:host([open]) .toggle { display: none; }
:host([docked]) { position: fixed; inset: auto 0 0; height: auto; z-index: 2147483000; pointer-events: none; }
:host([docked]) > *, .panel, .toggle { pointer-events: auto; }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
p, ul, ol, dl, dd { margin: 0; padding: 0; }
ul, ol { list-style: none; }
.soft { color: var(--soft); font-size: 0.8125rem; }
.title { font-size: 0.8125rem; font-weight: 650; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }

.panel {
  display: flex;
  flex-direction: column;
  height: 100%;
  min-height: 0;
  overflow: hidden;
  background: var(--card);
  border: 1px solid var(--line);
  border-radius: 0.625rem;
}
:host([docked]) .panel {
  height: min(26rem, 70vh);
  border-width: 1px 0 0;
  border-radius: 0;
  box-shadow: 0 -0.5rem 2rem rgb(10 18 38 / 22%);
}

.bar {
  display: flex;
  flex: none;
  flex-wrap: wrap;
  align-items: center;
  gap: 0.375rem 1rem;
  padding: 0.5rem 0.75rem 0.5rem 1rem;
  background: #1c2b4a;
  color: #ffffff;
}
.mark { display: flex; align-items: center; gap: 0.5rem; font-weight: 700; letter-spacing: -0.01em; }
.key {
  width: 1.625rem;
  fill: none;
  stroke: var(--brass);
  stroke-width: 2.75;
  stroke-linecap: round;
  stroke-linejoin: round;
}
.status { display: flex; align-items: center; gap: 0.5rem; min-width: 0; overflow-wrap: anywhere; }
.lamp { flex: none; width: 0.625rem; height: 0.625rem; border: 2px solid #aab6cf; border-radius: 50%; }
[data-status="signed-in"] .lamp { background: #6fd08c; border-color: #6fd08c; }
[data-status="signed-out"] .lamp { background: none; }
[data-status="signing-in"] .lamp, [data-status="signing-out"] .lamp, .troubled .lamp {
  background: var(--brass);
  border-color: var(--brass);
}
.tools { display: flex; gap: 0.375rem; margin-left: auto; }

button {
  min-height: 2.25rem;
  padding: 0.25rem 0.75rem;
  color: var(--ink);
  background: var(--card);
  border: 1px solid var(--edge-line);
  border-radius: 0.375rem;
  font: 600 0.8125rem / 1.2 var(--sans);
  cursor: pointer;
}
button:hover:not(:disabled) { background: var(--well); }
button:disabled { opacity: 0.55; cursor: default; }
button.quiet { min-height: 1.875rem; padding: 0 0.625rem; color: #ffffff; background: none; border-color: #5d6d92; }
button.quiet:hover { background: #2b3d66; }
:focus-visible { outline: 3px solid var(--brass); outline-offset: 2px; }
.toggle {
  display: flex;
  align-items: center;
  gap: 0.5rem;
  margin: 0 0.75rem 0.75rem auto;
  color: #ffffff;
  background: #1c2b4a;
  border-color: #5d6d92;
  border-radius: 2rem;
  box-shadow: 0 0.25rem 1rem rgb(10 18 38 / 30%);
}
.toggle:hover:not(:disabled) { background: #2b3d66; }

.body { display: grid; grid-template-columns: 19rem minmax(0, 1fr); flex: 1; min-height: 0; }
.side {
  display: grid;
  align-content: start;
  gap: 0.875rem;
  padding: 1rem;
  overflow-y: auto;
  border-right: 1px solid var(--line);
}

.life {
  display: grid;
  grid-template-columns: 4.25rem 1fr;
  align-items: center;
  gap: 0.875rem;
  padding: 0.75rem;
  background: var(--well);
  border-radius: 0.5rem;
}
.ring { grid-area: 1 / 1; }
.ring path { fill: none; stroke: var(--line); stroke-width: 7; }
.ring path + path { stroke: var(--brass); stroke-dasharray: 100; }
.seconds {
  grid-area: 1 / 1;
  justify-self: center;
  font-size: 1.125rem;
  font-weight: 700;
  font-variant-numeric: tabular-nums;
}
.life.over .seconds { color: var(--bad); }
.life.over .ring path { stroke: var(--bad); }

.facts { display: grid; grid-template-columns: auto 1fr; gap: 0.25rem 0.875rem; }
dt { font-size: 0.8125rem; color: var(--soft); }
dd { min-width: 0; font: 0.75rem / 1.6 var(--mono); overflow-wrap: anywhere; }

.force { display: grid; gap: 0.375rem; }
.buttons { display: flex; flex-wrap: wrap; gap: 0.375rem; }
.problem:empty { display: none; }
.problem { font-size: 0.8125rem; color: var(--bad); overflow-wrap: anywhere; }

.findings { display: grid; gap: 0.5rem; }
.findings:empty { display: none; }
.findings li {
  padding: 0.5rem 0.75rem;
  background: var(--well);
  border-left: 4px solid var(--edge-line);
  border-radius: 0.25rem;
  overflow-wrap: anywhere;
}
.findings .bad { border-color: var(--bad); }
.findings .bad .title { color: var(--bad); }

.diagram {
  --gutter: 3.25rem;
  --left: 3.5rem;
  --right: 2.75rem;
  --edge: 0.75rem;
  display: flex;
  flex-direction: column;
  min-width: 0;
  min-height: 0;
}
/* A gutter for the time; lines 3, 5 and 7 are the lifelines. */
.lanes, .arrow {
  display: grid;
  grid-template-columns: var(--gutter) var(--left) repeat(4, minmax(0, 1fr)) var(--right);
  padding: 0 var(--edge);
}
.lanes { flex: none; align-items: end; padding-block: 0.625rem; border-bottom: 1px solid var(--line); }
.lane {
  grid-row: 1;
  grid-column: 3;
  justify-self: start;
  width: max-content;
  padding: 0.1875rem 0.625rem;
  font-size: 0.8125rem;
  font-weight: 650;
  line-height: 1.3;
  text-align: center;
  color: var(--card);
  background: var(--client);
  border-radius: 0.25rem;
  transform: translateX(-50%);
}
.lane.as { grid-column: 5; background: var(--as); }
.lane.rs { grid-column: 7; background: var(--rs); }
.scroll { position: relative; flex: 1; min-height: 0; overflow-y: auto; overscroll-behavior: contain; }
.scroll:focus-visible { outline-offset: -3px; }
.empty {
  position: absolute;
  inset: 0;
  display: grid;
  place-content: center;
  padding: 2rem;
  text-align: center;
  color: var(--soft);
}
.empty span { padding: 0.25rem 0.5rem; background: var(--card); }
.arrows {
  --client-x: calc(var(--edge) + var(--gutter) + var(--left));
  --rs-x: calc(100% - var(--edge) - var(--right));
  --as-x: calc(50% + (var(--gutter) + var(--left) - var(--right)) / 2);
  --client-line: color-mix(in srgb, var(--client) 45%, transparent);
  --as-line: color-mix(in srgb, var(--as) 45%, transparent);
  --rs-line: color-mix(in srgb, var(--rs) 45%, transparent);
  min-height: 100%;
  padding: 0.625rem 0 1rem;
  background:
    linear-gradient(var(--client-line), var(--client-line)) var(--client-x) 0 / 1px 100% no-repeat,
    linear-gradient(var(--as-line), var(--as-line)) var(--as-x) 0 / 1px 100% no-repeat,
    linear-gradient(var(--rs-line), var(--rs-line)) var(--rs-x) 0 / 1px 100% no-repeat;
}
.arrow { padding-block: 0.125rem; color: var(--client); }
.arrow > * { position: relative; }
.arrow.as { color: var(--as); }
.arrow.rs { color: var(--rs); }
.arrow.bad { color: var(--bad); }
.arrow.pause { margin-top: 1.125rem; }
.arrow time {
  grid-column: 1;
  grid-row: 1;
  padding-right: 0.75rem;
  font: 0.75rem / 1.5rem var(--mono);
  font-variant-numeric: tabular-nums;
  text-align: right;
  color: var(--soft);
}
.label {
  grid-row: 1;
  justify-self: center;
  max-width: 100%;
  padding: 0 0.375rem;
  font: 600 0.8125rem / 1.5rem var(--mono);
  text-align: center;
  overflow-wrap: anywhere;
  color: var(--ink);
  background: var(--card);
}
.label small { font: 0.75rem / 1 var(--sans); color: var(--soft); }
.arrow.bad .label { color: var(--bad); }
.detail {
  grid-row: 3;
  justify-self: center;
  max-width: 100%;
  padding: 0 0.375rem;
  font-size: 0.75rem;
  line-height: 1.25rem;
  text-align: center;
  overflow-wrap: anywhere;
  color: var(--soft);
  background: var(--card);
}
.shaft {
  grid-row: 2;
  height: 0.625rem;
  background: linear-gradient(currentColor, currentColor) 0 50% / 100% 2px no-repeat;
}
/* An answer is dashed, as in any sequence diagram. */
.arrow.answer .shaft {
  background: repeating-linear-gradient(90deg, currentColor 0 6px, transparent 6px 10px) 0 50% / 100% 2px no-repeat;
}
.shaft::after {
  content: "";
  position: absolute;
  top: 0;
  right: 0;
  width: 0.625rem;
  height: 0.625rem;
  background: currentColor;
  clip-path: polygon(0 0, 100% 50%, 0 100%);
}
.arrow.answer .shaft::after { right: auto; left: 0; clip-path: polygon(100% 0, 0 50%, 100% 100%); }
.arrow.as > :not(time) { grid-column: 3 / 5; }
.arrow.rs > :not(time) { grid-column: 3 / 7; }
.arrow.note > :not(time) { grid-column: 2 / 7; justify-self: start; }
.arrow.note .label {
  margin: 0.25rem 0;
  padding: 0 0.625rem;
  border: 1px solid currentColor;
  border-radius: 1rem;
  font-family: var(--sans);
  text-align: left;
}
.arrow.note .shaft { display: none; }

@container (max-width: 46rem) {
  .body { display: flex; flex-direction: column; overflow-y: auto; }
  .side { overflow: visible; border-right: 0; border-bottom: 1px solid var(--line); }
  .diagram {
    --gutter: 2.75rem;
    --left: 1.5rem;
    --right: 1.5rem;
    --edge: 0.375rem;
    flex: 1 0 18rem;
  }
  .lane { width: min-content; padding: 0.1875rem 0.375rem; font-size: 0.75rem; }
  /* Too narrow for words between two lifelines: they start at the client and may go on past the next. */
  .arrow.as > .label, .arrow.as > .detail { grid-column: 3 / 8; justify-self: start; text-align: left; }
  .arrow time { padding-right: 0.25rem; font-size: 0.6875rem; }
}
@media (prefers-reduced-motion: no-preference) {
  .arrow.new .shaft { animation: draw 0.3s ease-out; transform-origin: left; }
  .arrow.new.answer .shaft { transform-origin: right; }
  .arrow.new :is(.label, .detail) { animation: appear 0.3s; }
}
@keyframes draw { from { transform: scaleX(0); } }
@keyframes appear { from { opacity: 0; } }
`
