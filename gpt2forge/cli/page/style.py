"""The style of the page: light and dark as the reader's system asks, from 320 pixels to any width."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1f24; --quiet: #57606a; --line: #d0d7de; --accent: #0b5cad; --mark: #ffe08a;
  --good: #116329; --bad: #a40e26;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #0d1117; --ink: #e6edf3; --quiet: #9da7b1; --line: #3d444d; --accent: #6cb6ff; --mark: #6b5300;
    --good: #56d364; --bad: #ff7b72;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; overflow-wrap: anywhere; }
p { max-width: 48rem; }
a { color: var(--accent); }
.skip { position: absolute; left: -100vw; }
.skip:focus { left: 1rem; top: 1rem; background: var(--paper); padding: .5rem; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.lead { font-size: 1.1rem; overflow-wrap: anywhere; }
.quiet { color: var(--quiet); }
.scroll { overflow-x: auto; margin: .5rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--quiet); padding: .25rem 0; }
th, td { text-align: left; padding: .3rem .7rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; }
tbody th { min-width: 8rem; max-width: 24rem; overflow-wrap: anywhere; }
td.number { text-align: right; white-space: nowrap; }
td.verdict { min-width: 14rem; }
td .interval { display: block; color: var(--quiet); font-size: .85rem; }
.good { color: var(--good); } .bad { color: var(--bad); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 1.5rem; }
figure { margin: 0; }
figcaption { color: var(--quiet); }
svg { width: 100%; max-width: 34rem; height: auto; font: 13px system-ui, sans-serif; }
svg text { fill: var(--ink); }
svg .axis { stroke: var(--line); }
svg .front { fill: none; stroke: var(--accent); stroke-width: 2; stroke-dasharray: 6 4; }
svg .interval { stroke: var(--quiet); stroke-width: 1.5; }
svg .point circle { fill: var(--accent); stroke: var(--accent); stroke-width: 2; }
svg .point.dominated circle { fill: var(--paper); }
svg .point text { fill: var(--paper); text-anchor: middle; font-weight: 600; }
svg .point.dominated text { fill: var(--ink); }
svg .point:focus-visible { outline: 3px solid var(--ink); }
svg .change circle { fill: var(--accent); stroke: var(--accent); stroke-width: 2; }
svg .change.noise circle { fill: var(--paper); }
svg .change:focus-visible { outline: 3px solid var(--ink); }
td.heat, td.time { text-align: right; }
td.time { white-space: nowrap; }
mark { background: var(--mark); color: inherit; text-decoration: underline; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; font: 14px/1.45 ui-monospace, monospace; }
blockquote { margin: .5rem 0; padding: 0 0 0 .8rem; border-left: 3px solid var(--line); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; }
dt { color: var(--quiet); } dd { margin: 0; overflow-wrap: anywhere; }
@media print { .scroll { overflow: visible; } }
"""
