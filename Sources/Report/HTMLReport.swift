internal import Smoothing

/// The report as one HTML file that needs nothing else: no fonts, no images and no scripts from outside.
///
/// Everything reads without JavaScript; a short inline script lets tables be sorted.
package struct HTMLReport: Sendable {
  package let runs: ReportSet
  /// Whether every item is listed; ten thousand images make a page of some megabytes.
  package let listsItems: Bool

  package init(_ runs: ReportSet, listsItems: Bool = true) {
    self.runs = runs
    self.listsItems = listsItems
  }

  package init(_ report: RunReport, listsItems: Bool = true) {
    self.init(ReportSet([report]), listsItems: listsItems)
  }

  package var text: String {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
    script-src 'unsafe-inline'">
    <title>\(Escape.html(runs.title)) · certified accuracy</title>
    <style>
    \(Self.style)
    </style>
    </head>
    <body>
    <main>
    \([header, contents, cards, figure, accuracyTable, histograms, guarantee, facts, items].filter { !$0.isEmpty }
      .joined(separator: "\n"))
    </main>
    \(Self.script)
    </body>
    </html>

    """
  }

  // MARK: Head

  private var header: String {
    guard runs.reports.count == 1, let report = runs.reports.first else {
      let listed = runs.reports.map { report in
        "<li>\(Escape.html(report.name)) <span class=\"soft\">\(report.number) · \(report.progress)</span> \(state(report))</li>"
      }
      return """
        <header>
        <p class="kicker">Certified robustness · \(runs.reports.count) runs compared</p>
        <h1>\(Escape.html(runs.title))</h1>
        <ul class="runs">
        \(listed.joined(separator: "\n"))
        </ul>
        </header>
        """
    }
    let about =
      switch report.basis {
      case .fleet(let fleet):
        "\(report.progress) on \(Escape.html(fleet.images.dataset)) (\(Escape.html(fleet.images.subset))), "
          + "\(NumberText.grouped(fleet.settings.n)) noise draws each, \(report.alphaText ?? "")"
          + (fleet.settings.sampler == .gaussian ? ". Gaussian sampler: sound in real arithmetic only" : "")
      case .imported(let imported):
        "\(report.progress) from \(Escape.html(imported.source)). Not computed by this fleet, and not recomputable."
      }
    return """
      <header>
      <p class="kicker">Certified robustness · \(report.number) \(state(report))</p>
      <h1>\(Escape.html(report.name))</h1>
      <p class="sub">\(about)</p>
      </header>
      """
  }

  private func state(_ report: RunReport) -> String {
    guard let fleet = report.fleet else { return "<span class=\"state foreign\">imported</span>" }
    if report.isFinished { return "<span class=\"state done\">complete</span>" }
    return
      "<span class=\"state open\">\(["failed", "cancelled"].contains(fleet.state) ? fleet.state : "unfinished")</span>"
  }

  private var contents: String {
    var links = [
      ("curve", "Curve"), ("accuracy", "Table"), ("radii", "Radii"), ("guarantee", "Guarantee"), ("basis", "Basis"),
    ]
    if showsItems { links.append(("images", "Images")) }
    let anchors = links.map { "<a href=\"#\($0.0)\">\($0.1)</a>" }.joined(separator: "\n")
    return "<nav aria-label=\"Sections\">\n\(anchors)\n</nav>"
  }

  private var cards: String {
    guard runs.reports.count == 1 else { return "" }
    let cards = runs.series.map { series in
      let summary = LevelSummary(series.level)
      let held = series.level.held > 0 ? "\n<div><dt>held</dt><dd>\(series.level.held)</dd></div>" : ""
      return """
        <li class="card s\(series.color)">
        <p class="sigma"><span class="key"></span>sigma \(summary.sigma)</p>
        <p class="big">\(summary.clean)<small>%</small></p>
        <p class="what">smoothed accuracy at r&nbsp;=&nbsp;0</p>
        <dl>
        <div><dt>average radius</dt><dd>\(summary.averageRadius)</dd></div>
        <div><dt>abstained</dt><dd>\(summary.abstained)%</dd></div>
        <div><dt>wrong</dt><dd>\(summary.mistaken)%</dd></div>
        <div><dt>images</dt><dd>\(summary.progress)</dd></div>\(held)
        <div><dt>time per image</dt><dd>\(summary.time)</dd></div>
        </dl>
        </li>
        """
    }
    return "<ul class=\"cards\">\n" + cards.joined(separator: "\n") + "\n</ul>"
  }

  // MARK: Figures

  private var figure: String {
    let keys = runs.series.map { series in
      "<span class=\"s\(series.color) d\(series.dash)\(series.isImported ? " imported" : "")\"><svg class=\"sample\" viewBox=\"0 0 28 8\" aria-hidden=\"true\">"
        + "<path class=\"line\" d=\"M0 4L28 4\"/></svg>\(Escape.html(series.name))</span>"
    }
    let note =
      runs.isFinished
      ? "" : " While images are unfinished, lines count them wrong and bands reach to where all are right."
    return """
      <section id="curve">
      <h2>Certified accuracy by radius</h2>
      <figure>
      <p class="legend">\(keys.joined(separator: "\n"))</p>
      \(CurveSVG(runs, size: .wide).markup)
      \(CurveSVG(runs, size: .narrow).markup)
      <figcaption>Share of all images that are classified correctly and certified at radius r or more. Abstentions and \
      mistakes count as not certified. Radii are L2 distances in the [0, 1] pixel range. Shaded: sampling error, the exact \
      binomial 95 % interval for all images of which these are a random sample.\(note)</figcaption>
      </figure>
      </section>
      """
  }

  private var histograms: String {
    let furthest = runs.series.compactMap { $0.level.largestRadius }.max()
    guard let furthest else { return "" }
    let charts = runs.series.filter { !$0.level.items.isEmpty }.map { series in
      "<figure class=\"small\">\n<p class=\"legend\">\(Escape.html(series.name))</p>\n"
        + HistogramSVG(series: series, furthest: furthest).markup + "\n</figure>"
    }
    return """
      <section id="radii">
      <h2>Certified radii</h2>
      <div class="charts">
      \(charts.joined(separator: "\n"))
      </div>
      <p class="note">Finished images by certified radius; outlined: certified for another class than the label; grey: abstained. \
      Each chart has its own height.</p>
      </section>
      """
  }

  // MARK: Words

  private var guarantee: String {
    let sections = Guarantee.sections(runs)
    let texts = sections.map { section in
      (sections.count > 1 ? "<h3>\(section.names.map(Escape.html).joined(separator: ", "))</h3>\n" : "")
        + section.paragraphs.map { "<p>\(Escape.html($0))</p>" }.joined(separator: "\n")
    }
    return """
      <section id="guarantee" class="promise">
      <h2>What is guaranteed</h2>
      \(texts.joined(separator: "\n"))
      </section>
      """
  }

  private var facts: String {
    let lists = runs.reports.map { report in
      let rows = ReportFacts(report).lines.map {
        "<div><dt>\(Escape.html($0.name))</dt><dd>\(Escape.html($0.value))</dd></div>"
      }
      return (runs.reports.count > 1 ? "<h3>\(Escape.html(report.name))</h3>\n" : "")
        + "<dl class=\"facts\">\n\(rows.joined(separator: "\n"))\n</dl>"
    }
    return """
      <section id="basis">
      <h2>What it rests on</h2>
      \(lists.joined(separator: "\n"))
      </section>
      """
  }
}
