internal import Smoothing

/// The report as one HTML file that needs nothing else: no script, no fonts, no images from outside.
package struct HTMLReport: Sendable {
  package let report: RunReport
  /// Whether every item is listed; ten thousand images make a page of some megabytes.
  package let listsItems: Bool

  package init(_ report: RunReport, listsItems: Bool = true) {
    self.report = report
    self.listsItems = listsItems
  }

  package var text: String {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>\(Self.escaped(report.name)) · certified accuracy</title>
    <style>
    \(Self.style)
    </style>
    </head>
    <body>
    <main>
    \([header, cards, figure, accuracyTable, guarantee, facts, items].joined(separator: "\n"))
    </main>
    </body>
    </html>

    """
  }

  private var header: String {
    let count =
      report.isFinished
      ? "\(NumberText.grouped(report.finished)) certificates"
      : "\(NumberText.grouped(report.finished)) of \(NumberText.grouped(report.planned)) certificates"
    let state =
      report.isFinished
      ? "<span class=\"state done\">complete</span>" : "<span class=\"state open\">unfinished</span>"
    return """
      <header>
      <p class="kicker">Certified robustness · run \(report.runID) \(state)</p>
      <h1>\(Self.escaped(report.name))</h1>
      <p class="sub">\(count) on \(Self.escaped(report.images.dataset)) (\(Self.escaped(report.images.subset))), \
      \(NumberText.grouped(report.settings.n)) noise draws each, alpha \(report.settings.alpha)</p>
      </header>
      """
  }

  private var cards: String {
    let cards = report.levels.enumerated().map { index, level in
      let summary = LevelSummary(level, of: report)
      return """
        <li class="card s\(index % 6)">
        <p class="sigma"><span class="key"></span>sigma \(summary.sigma)</p>
        <p class="big">\(summary.clean)<small>%</small></p>
        <p class="what">smoothed accuracy at r&nbsp;=&nbsp;0</p>
        <dl>
        <div><dt>average radius</dt><dd>\(summary.averageRadius)</dd></div>
        <div><dt>abstained</dt><dd>\(summary.abstained)%</dd></div>
        <div><dt>wrong</dt><dd>\(summary.mistaken)%</dd></div>
        <div><dt>images</dt><dd>\(summary.progress)</dd></div>
        </dl>
        </li>
        """
    }
    return "<ul class=\"cards\">\n" + cards.joined(separator: "\n") + "\n</ul>"
  }

  private var figure: String {
    let keys = report.levels.enumerated().map { index, level in
      "<span class=\"s\(index % 6)\"><span class=\"key\"></span>sigma \(level.sigma)</span>"
    }
    let note =
      report.isFinished
      ? "" : " Shaded: unfinished images, from all wrong (line) to all right."
    return """
      <section>
      <h2>Certified accuracy by radius</h2>
      <figure>
      <p class="legend">\(keys.joined(separator: " "))</p>
      \(CurveSVG(report, size: .wide).markup)
      \(CurveSVG(report, size: .narrow).markup)
      <figcaption>Share of all images that are classified correctly and certified at radius r or more. Abstentions and \
      mistakes count as not certified. Radii are L2 distances in the [0, 1] pixel range.\(note)\(samplingError)</figcaption>
      </figure>
      </section>
      """
  }

  /// How far a share may lie from that of all such images, because only some were certified.
  private var samplingError: String {
    let fewest = report.levels.map(\.planned).min() ?? 0
    guard fewest > 0 else { return "" }
    let points = NumberText.share(50 / Double(fewest).squareRoot(), places: 1)
    return
      " As estimates for all such images, shares of \(NumberText.grouped(fewest)) images have a standard error of up "
      + "to \(points) points."
  }

  private var accuracyTable: String {
    let radii = report.tableRadii
    let heads = radii.map { "<th scope=\"col\">r = \(LevelSummary.head($0))</th>" }.joined()
    let summaries = report.levels.map { LevelSummary($0, of: report) }
    let best = radii.indices.map { column in
      report.levels.map { $0.accuracy.at(radii[column]).lowShare }.enumerated().max { ($0.1, $1.0) < ($1.1, $0.0) }
    }
    let rows = summaries.enumerated().map { row, summary in
      let cells = summary.accuracies.enumerated().map { column, text in
        let isBest = marksBest && best[column].map { $0.0 == row && $0.1 > 0 } == true
        return isBest ? "<td><strong>\(text)</strong></td>" : "<td>\(text)</td>"
      }
      return "<tr class=\"s\(row % 6)\"><th scope=\"row\"><span class=\"key\"></span>\(summary.sigma)</th>"
        + cells.joined() + "<td>\(summary.averageRadius)</td><td>\(summary.reach)</td></tr>"
    }
    return """
      <section>
      <h2>Certified accuracy, percent</h2>
      <div class="scroll"><table>
      <thead><tr><th scope="col">sigma</th>\(heads)<th scope="col">ACR</th><th scope="col">reach</th></tr></thead>
      <tbody>
      \(rows.joined(separator: "\n"))
      </tbody>
      </table></div>
      <p class="note">\(marksBest ? Self.boldNote : "")ACR: average certified radius, mistakes and abstentions counting 0. Reach: the largest radius that \
      \(NumberText.grouped(report.settings.n)) draws can certify.</p>
      </section>
      """
  }

  private var marksBest: Bool { report.isFinished && report.levels.count > 1 }
  private static let boldNote =
    "Bold: best sigma at that radius, the first on ties; choosing it per radius is a selection made on these images. "

  private var guarantee: String {
    let paragraphs = Guarantee(report).paragraphs.map { "<p>\(Self.escaped($0))</p>" }
    return """
      <section class="promise">
      <h2>What is guaranteed</h2>
      \(paragraphs.joined(separator: "\n"))
      </section>
      """
  }

  private var facts: String {
    let settings = report.settings
    var rows: [(String, String)] = [
      ("checkpoint", "\(report.checkpoint.name) · \(report.checkpoint.digest)"),
      ("images", "\(report.images.dataset), \(report.images.subset) · \(report.images.digest)"),
      ("selection draws n0", NumberText.grouped(settings.n0)), ("estimation draws n", NumberText.grouped(settings.n)),
      ("alpha", "\(settings.alpha)"), ("mode", settings.mode), ("seed", "\(settings.seed)"),
    ]
    for level in report.levels {
      let grid = level.m.map { ", m \($0), slack \(NumberText.roundedUp(level.slack))" } ?? ""
      let table = level.tableDigest.map { ", table \($0)" } ?? ""
      rows.append(("noise, sigma \(level.sigma)", settings.sampler.rawValue + grid + table))
    }
    rows += settings.numerics.map { ("numerics", $0) }
    let list = rows.map { "<div><dt>\(Self.escaped($0.0))</dt><dd>\(Self.escaped($0.1))</dd></div>" }
    return """
      <section>
      <h2>What it rests on</h2>
      <dl class="facts">
      \(list.joined(separator: "\n"))
      </dl>
      </section>
      """
  }

  private var items: String {
    guard listsItems else { return "" }
    let tables = report.levels.filter { !$0.items.isEmpty }.map { level in
      let rows = level.items.map(itemRow)
      return """
        <details>
        <summary>Every image at sigma \(level.sigma)</summary>
        <div class="scroll"><table class="items">
        <thead><tr><th>image</th><th class="text">label</th><th class="text">certified class</th><th>radius</th>\
        <th>votes</th><th>draws</th><th>p lower</th></tr></thead>
        <tbody>
        \(rows.joined(separator: "\n"))
        </tbody>
        </table></div>
        </details>
        """
    }
    return "<section>\n<h2>Image by image</h2>\n" + tables.joined(separator: "\n") + "\n</section>"
  }

  private func itemRow(_ item: RunReport.Item) -> String {
    let kind = item.predicted == nil ? "abstains" : item.isCorrect ? "correct" : "wrong"
    let predicted = item.predicted.map(className) ?? "abstains"
    return "<tr class=\"\(kind)\"><td>\(item.imageIndex)</td><td class=\"text\">\(className(item.label))</td>"
      + "<td class=\"text\">\(predicted)\(kind == "wrong" ? " <em>wrong</em>" : "")</td>"
      + "<td>\(item.radius.map { NumberText.radius($0, places: 4) } ?? "–")</td>"
      + "<td>\(NumberText.grouped(item.hits))</td><td>\(NumberText.grouped(item.draws))</td>"
      + "<td>\(NumberText.fixed(item.pLower, places: 6, towardZero: true))</td></tr>"
  }

  private func className(_ label: Int) -> String {
    let names = report.images.classNames
    return names.indices.contains(label) ? Self.escaped(names[label]) : "\(label)"
  }

  /// Text safe between tags and inside quoted attributes.
  static func escaped(_ text: String) -> String {
    var out = ""
    for scalar in TerminalText.printable(text).unicodeScalars {
      switch scalar {
      case "&": out += "&amp;"
      case "<": out += "&lt;"
      case ">": out += "&gt;"
      case "\"": out += "&quot;"
      case "'": out += "&#39;"
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out
  }
}
