internal import Smoothing

/// One plot as an SVG file of its own: white ground, colours written out, a legend in the picture. For papers and slides.
package struct PlotSVG: Sendable {
  package enum Kind: String, Sendable, CaseIterable {
    /// Certified accuracy against radius, every run and sigma in one plot.
    case accuracy
    /// Images by certified radius, a chart per run and sigma.
    case radii
    /// Images by estimation draws used, a chart per run and sigma.
    case samples
  }

  package let runs: ReportSet
  package let kind: Kind

  package init(_ runs: ReportSet, kind: Kind) {
    self.runs = runs
    self.kind = kind
  }

  package var text: String {
    let series = runs.series.filter { !$0.level.items.isEmpty }
    switch kind {
    case .accuracy:
      return document(width: 820, parts: [(420, CurveSVG(runs, size: .wide).markup)], legend: runs.series)
    case .radii:
      let furthest = runs.series.compactMap { $0.level.largestRadius }.max() ?? 1
      return charts(series) { HistogramSVG(series: $0, furthest: furthest).markup }
    case .samples:
      let most = series.flatMap { $0.level.items.map(\.draws) }.max() ?? 1
      return charts(series) { SamplesSVG(series: $0, most: most).markup }
    }
  }

  /// Charts below each other, each with its name above it.
  private func charts(_ series: [ReportSet.Series], _ markup: (ReportSet.Series) -> String) -> String {
    var parts: [(height: Int, markup: String)] = []
    for one in series {
      parts.append((24, "<text class=\"legend\" x=\"8\" y=\"17\">\(Escape.html(one.name))</text>"))
      parts.append((252, markup(one)))
    }
    return document(width: 560, parts: parts, legend: [])
  }

  private func document(width: Int, parts: [(height: Int, markup: String)], legend: [ReportSet.Series]) -> String {
    var y = 8
    var lines: [String] = []
    for part in parts {
      // The parts bring a view box and no size.
      lines.append(
        "<svg x=\"0\" y=\"\(y)\" width=\"\(width)\" height=\"\(part.height)\">\n\(part.markup)\n</svg>")
      y += part.height
    }
    for one in legend {
      lines.append(
        "<path class=\"line s\(one.color) d\(one.dash)\(one.isImported ? " imported" : "")\" d=\"M50 \(y + 8)h34\"/>"
          + "<text class=\"legend\" x=\"94\" y=\"\(y + 12)\">\(Escape.html(one.name))</text>")
      y += 20
    }
    lines.append("<text class=\"note\" x=\"50\" y=\"\(y + 14)\">\(Escape.html(caption))</text>")
    y += 28
    return """
      <?xml version="1.0" encoding="UTF-8"?>
      <svg xmlns="http://www.w3.org/2000/svg" width="\(width)" height="\(y)" viewBox="0 0 \(width) \(y)">
      <style>
      \(Self.style)
      </style>
      <rect width="\(width)" height="\(y)" fill="#ffffff"/>
      \(lines.joined(separator: "\n"))
      </svg>

      """
  }

  private var caption: String {
    let unfinished = runs.isFinished ? "" : " Unfinished images count wrong."
    switch kind {
    case .accuracy:
      return "Certified accuracy of all images against L2 radius. Shaded: exact binomial 95 % interval over images."
        + unfinished
    case .radii:
      return "Finished images by certified L2 radius. Outlined: certified for a wrong class. Grey: abstained."
    case .samples: return "Finished images by estimation draws that decided them."
    }
  }

  /// The page's classes with their colours written out: converters do not know custom properties.
  static let style: String = {
    let colors = ["#2f6fdb", "#d9730d", "#12876a", "#8b4fc4", "#c2356d", "#5f6b76"]
    let series = colors.enumerated().flatMap { place, color in
      [
        ".line.s\(place) { stroke: \(color); }", ".band.s\(place) { fill: \(color); }",
        ".s\(place) .right { fill: \(color); }", ".s\(place) .fault { stroke: \(color); }",
      ]
    }
    return
      ([
        "text { font-family: sans-serif; fill: #5c666e; font-size: 13px; }", ".legend { fill: #1d2226; }",
        ".grid { stroke: #e2e3de; }", ".axis { stroke: #5c666e; }",
        ".line { fill: none; stroke-width: 2.25; stroke-linejoin: round; }", ".d1 { stroke-dasharray: 9 4; }",
        ".d2 { stroke-dasharray: 3 3; }", ".imported { stroke-dasharray: 2 4; stroke-linecap: round; }",
        ".band { opacity: 0.12; }", ".none { fill: #5c666e; opacity: 0.55; }",
        ".fault { fill: #ffffff; stroke-width: 1.5; stroke-dasharray: 3 2; }", ".histogram text { font-size: 12px; }",
        ".note { font-size: 11px; }",
      ] + series).joined(separator: "\n")
  }()
}
