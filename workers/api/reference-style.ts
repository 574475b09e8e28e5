// How the reference looks; by day and by night, on paper and on a telephone.

export const style = `
:root { color-scheme: light dark; --text: #1c2024; --soft: #5a6169; --page: #fff; --side: #f5f6f8; --line: #d9dde2; --link: #0b57b0; --code: #eef1f4; --get: #0b6b3a; --post: #0b57b0; --patch: #8a4b00; --delete: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e7ea; --soft: #a3abb3; --page: #15181b; --side: #1c2024; --line: #343a40; --link: #8ab8f5; --code: #23282d; --get: #6fd19b; --post: #8ab8f5; --patch: #f0b35f; --delete: #f49890; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; font: 1rem/1.55 system-ui, sans-serif; color: var(--text); background: var(--page); }
a { color: var(--link); }
a:focus-visible, [tabindex]:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
main:focus { outline: none; }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: 1rem; padding: .5rem 1rem; background: var(--page); z-index: 1; }
header { padding: 1.5rem 2rem 1rem; border-bottom: 1px solid var(--line); }
h1 { margin: 0; font-size: 1.75rem; }
header p { margin: .25rem 0 0; color: var(--soft); }
.columns { display: grid; grid-template-columns: minmax(16rem, 24rem) minmax(0, 1fr); }
nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1rem 1rem 3rem 2rem; background: var(--side); border-right: 1px solid var(--line); font-size: .875rem; }
nav h2 { margin: 1rem 0 .25rem; font-size: .875rem; }
nav h2 a { color: var(--text); text-decoration: none; }
nav ul { margin: 0; padding: 0; list-style: none; }
nav li a { display: grid; grid-template-columns: 4rem 1fr; padding: .25rem; color: var(--text); text-decoration: none; border-radius: .25rem; }
nav li a:hover { background: var(--code); }
main { padding: 1rem 2rem 4rem; max-width: 62rem; }
section > h2 { margin: 3rem 0 0; padding-bottom: .25rem; border-bottom: 2px solid var(--line); font-size: 1.5rem; }
article { padding: 1.5rem 0; border-bottom: 1px solid var(--line); }
h3 { margin: 0; font-size: 1.125rem; }
h3 a { color: inherit; text-decoration: none; }
h3 a:hover { text-decoration: underline; }
h3 code { background: none; padding: 0; }
h4 { margin: 1.25rem 0 .5rem; font-size: 1rem; }
article p { margin: .5rem 0; }
.permission, .type { color: var(--soft); font-size: .875rem; }
code, pre, .method { font-family: ui-monospace, "SF Mono", Consolas, monospace; font-size: .875em; }
code { background: var(--code); padding: .1em .3em; border-radius: .25rem; overflow-wrap: anywhere; }
pre { margin: .5rem 0; padding: .75rem 1rem; background: var(--code); border-radius: .375rem; overflow: auto; max-height: 26rem; }
.method { font-weight: 700; }
.get { color: var(--get); } .post { color: var(--post); } .patch, .put { color: var(--patch); } .delete { color: var(--delete); }
.status { font-weight: 700; } .s2 { color: var(--get); } .s4 { color: var(--patch); } .s5 { color: var(--delete); }
dl { display: grid; grid-template-columns: 3.5rem minmax(0, 1fr); margin: 0; row-gap: .25rem; }
dd { margin: 0; } dd > p:first-child, dt { margin: 0; }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: .875rem; }
th, td { padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; font-weight: 400; }
thead th { color: var(--soft); }
@media (max-width: 52rem) { .columns { display: block; } nav { position: static; height: auto; max-height: 50vh; border: 0; border-bottom: 1px solid var(--line); padding: 1rem; } main, header { padding-left: 1rem; padding-right: 1rem; } }
@media print { nav { display: none; } .columns { display: block; } pre { max-height: none; } }
`;
