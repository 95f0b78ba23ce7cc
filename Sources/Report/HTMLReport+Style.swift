extension HTMLReport {
  /// The page's style sheet: light and dark by the reader's preference, one column on narrow screens.
  static let style = """
    :root {
      --page: #f7f7f4; --paper: #ffffff; --ink: #1d2226; --soft: #5c666e; --rule: #e2e3de; --grid: #ecece7;
      --link: #1d5fc4; --good: #1a7f4b; --open: #a35b00; --bad: #b3261e;
      --s0: #2f6fdb; --s1: #d9730d; --s2: #12876a; --s3: #8b4fc4; --s4: #c2356d; --s5: #5f6b76;
    }
    @media (prefers-color-scheme: dark) {
      :root {
        --page: #14171a; --paper: #1c2024; --ink: #e8eaec; --soft: #9aa4ad; --rule: #30363c; --grid: #282d32;
        --link: #8ab4ff; --good: #5cc990; --open: #f0b059; --bad: #ff8a80;
        --s0: #74a7ff; --s1: #ffab5c; --s2: #4fd0ab; --s3: #c79bf2; --s4: #ff8fb8; --s5: #a8b3bd;
      }
    }
    * { box-sizing: border-box; }
    body {
      margin: 0; background: var(--page); color: var(--ink);
      font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
      -webkit-text-size-adjust: 100%;
    }
    main { max-width: 920px; margin: 0 auto; padding: 48px 24px 80px; }
    h1 { font-size: 34px; line-height: 1.15; letter-spacing: -0.02em; margin: 0; overflow-wrap: anywhere; }
    h2 { font-size: 19px; letter-spacing: -0.01em; margin: 0 0 14px; }
    .kicker { margin: 0 0 8px; color: var(--soft); font-size: 14px; }
    .state { margin-left: 6px; padding: 1px 9px; border: 1px solid currentColor; border-radius: 99px; font-size: 12px; }
    .done { color: var(--good); } .open { color: var(--open); }
    .foreign { color: var(--s3); }
    .sub { margin: 10px 0 0; color: var(--soft); } .soft { color: var(--soft); font-weight: 400; }
    .runs { list-style: none; margin: 12px 0 0; padding: 0; } .runs li { padding: 3px 0; overflow-wrap: anywhere; }
    nav { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 22px 0 0; font-size: 14px; }
    a { color: var(--link); } a:not(:hover) { text-decoration-thickness: 1px; text-underline-offset: 3px; }
    h3 { font-size: 15px; margin: 18px 0 8px; overflow-wrap: anywhere; }
    section { margin-top: 44px; }
    .s0 { --c: var(--s0); } .s1 { --c: var(--s1); } .s2 { --c: var(--s2); }
    .s3 { --c: var(--s3); } .s4 { --c: var(--s4); } .s5 { --c: var(--s5); }
    .key { display: inline-block; width: 18px; height: 3px; border-radius: 2px; margin-right: 8px; vertical-align: middle;
      background: var(--c); }
    .cards { list-style: none; margin: 32px 0 0; padding: 0; display: grid; gap: 16px;
      grid-template-columns: repeat(auto-fit, minmax(220px, 1fr)); }
    .card { background: var(--paper); border: 1px solid var(--rule); border-top: 3px solid var(--c); border-radius: 8px;
      padding: 16px 18px 12px; }
    .card p { margin: 0; }
    .card .sigma { font-weight: 600; font-size: 14px; } .card .key { display: none; }
    .big { font-size: 38px; font-weight: 650; letter-spacing: -0.03em; line-height: 1.25;
      font-variant-numeric: tabular-nums; }
    .big small { font-size: 20px; font-weight: 500; color: var(--soft); margin-left: 2px; }
    .what { color: var(--soft); font-size: 13px; }
    .card dl { margin: 12px 0 0; font-size: 14px; }
    .card dl div { display: flex; justify-content: space-between; gap: 12px; padding: 4px 0;
      border-top: 1px solid var(--grid); }
    .card dd { white-space: nowrap; } dt { color: var(--soft); } dd { margin: 0; font-variant-numeric: tabular-nums; }
    figure { margin: 0; background: var(--paper); border: 1px solid var(--rule); border-radius: 8px;
      padding: 16px 18px 14px; }
    .legend { margin: 0 0 6px; display: flex; flex-wrap: wrap; gap: 4px 20px; font-size: 14px; }
    .legend span { overflow-wrap: anywhere; } .sample { width: 28px; height: 8px; margin-right: 8px; }
    figcaption, .note { color: var(--soft); font-size: 13px; line-height: 1.5; margin: 10px 0 0; }
    .curve { display: block; width: 100%; height: auto; } .narrow { display: none; }
    .curve text { fill: var(--soft); font-size: 13px; font-family: inherit; font-variant-numeric: tabular-nums; }
    .grid { stroke: var(--grid); } .axis { stroke: var(--soft); }
    .line { fill: none; stroke: var(--c); stroke-width: 2.25; stroke-linejoin: round; }
    .d1 { stroke-dasharray: 9 4; } .d2 { stroke-dasharray: 3 3; } .imported { stroke-dasharray: 2 4; stroke-linecap: round; }
    .band { fill: var(--c); opacity: 0.12; }
    .charts { display: grid; gap: 16px; grid-template-columns: repeat(auto-fit, minmax(min(340px, 100%), 1fr)); }
    .small { padding: 12px 14px 8px; } .histogram { display: block; width: 100%; height: auto; }
    .histogram text { fill: var(--soft); font-size: 12px; font-family: inherit; font-variant-numeric: tabular-nums; }
    .right { fill: var(--c); } .none { fill: var(--soft); opacity: 0.55; }
    .fault { fill: var(--paper); stroke: var(--c); stroke-width: 1.5; stroke-dasharray: 3 2; }
    .scroll { overflow-x: auto; background: var(--paper); border: 1px solid var(--rule); border-radius: 8px; }
    table { border-collapse: collapse; width: 100%; font-size: 15px; font-variant-numeric: tabular-nums; }
    th, td { padding: 9px 14px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--grid); }
    thead th { color: var(--soft); font-weight: 500; font-size: 13px; border-bottom-color: var(--rule); }
    tbody tr:last-child > * { border-bottom: 0; }
    th:first-child { text-align: left; } tbody th { font-weight: 600; }
    strong { font-weight: 750; }
    td small { display: block; color: var(--soft); font-size: 11px; }
    .group th { background: var(--page); color: var(--soft); font-weight: 500; font-size: 13px; text-align: left; }
    thead button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer;
      text-decoration: underline dotted; text-underline-offset: 4px; }
    [aria-sort=ascending] button::after { content: " \\2191"; } [aria-sort=descending] button::after { content: " \\2193"; }
    .promise { border-left: 3px solid var(--rule); padding-left: 20px; }
    .promise p { margin: 0 0 10px; max-width: 72ch; } .promise p + p { color: var(--soft); font-size: 15px; }
    .facts { margin: 0; font-size: 14px; }
    .facts div { display: grid; grid-template-columns: 180px 1fr; gap: 16px; padding: 7px 0;
      border-top: 1px solid var(--rule); }
    .facts dd { overflow-wrap: anywhere; font-family: ui-monospace, "SF Mono", "DejaVu Sans Mono", monospace;
      font-size: 13px; }
    details { margin-top: 10px; } summary { cursor: pointer; padding: 6px 0; }
    .items { font-size: 14px; } .items th, .items td { padding: 5px 14px; }
    .text { text-align: left !important; } .items th:first-child { text-align: right; }
    .items tbody th { font-weight: 400; text-align: right; } .items tr:target { background: var(--grid); }
    .store { position: absolute; } .picture { padding: 3px 14px !important; text-align: center; }
    .thumb { display: block; margin: 0 auto; image-rendering: pixelated; } .thumb image { image-rendering: pixelated; }
    symbol image { image-rendering: pixelated; } summary { font-weight: 500; overflow-wrap: anywhere; }
    .abstains td { color: var(--soft); } em { font-style: normal; color: var(--bad); }
    @media (max-width: 600px) {
      main { padding: 28px 16px 56px; } h1 { font-size: 27px; } section { margin-top: 36px; }
      figure { padding: 12px 10px; } .wide { display: none; } .narrow { display: block; }
      .facts div { grid-template-columns: 1fr; gap: 0; } th, td { padding: 8px 11px; }
    }
    @media print { body { background: none; } details:not([open]) { display: none; } }
    """
}
