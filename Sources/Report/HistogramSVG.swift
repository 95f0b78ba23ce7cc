internal import Smoothing

/// Certified radii of one series as bars: correct below, wrong on top; abstentions in a bar of their own at the left.
struct HistogramSVG {
  let series: ReportSet.Series
  /// Right end of the axis, the same for all histograms of a report.
  let furthest: Double
  private let width = 400.0
  private let height = 180.0
  private let left = 38.0
  private let base = 150.0
  private let top = 12.0

  var markup: String {
    let histogram = RadiusHistogram(series.level, reaching: furthest)
    let most = max((histogram.bins.map { $0.correct + $0.wrong } + [histogram.abstained, 1]).max()!, 1)
    let slot = (width - left - 66) / Double(max(histogram.bins.count, 1))
    func y(_ count: Int) -> Double { base - (base - top) * Double(count) / Double(most) }
    var lines = [
      "<svg class=\"histogram s\(series.color)\" viewBox=\"0 0 400 180\" role=\"img\" aria-label=\"\(label(histogram))\">",
      "<line class=\"grid\" x1=\"\(Self.text(left))\" x2=\"400\" y1=\"\(Self.text(top))\" y2=\"\(Self.text(top))\"/>",
      "<text class=\"tick\" x=\"\(Self.text(left - 6))\" y=\"\(Self.text(top))\" dy=\".35em\" text-anchor=\"end\">\(NumberText.grouped(most))</text>",
      "<text class=\"tick\" x=\"\(Self.text(left - 6))\" y=\"\(Self.text(base))\" dy=\".35em\" text-anchor=\"end\">0</text>",
    ]
    func bar(_ kind: String, _ x: Double, _ width: Double, from low: Int, count: Int, _ title: String) {
      guard count > 0 else { return }
      let (upper, lower) = (y(low + count), y(low))
      lines.append(
        "<rect class=\"\(kind)\" x=\"\(Self.text(x))\" y=\"\(Self.text(upper))\" width=\"\(Self.text(width))\" "
          + "height=\"\(Self.text(lower - upper))\"><title>\(title)</title></rect>")
    }
    bar(
      "none", left + 4, 28, from: 0, count: histogram.abstained, "abstained: \(NumberText.grouped(histogram.abstained))"
    )
    let start = left + 48
    for (index, bin) in histogram.bins.enumerated() {
      let x = start + Double(index) * slot
      let range = "\(LevelSummary.head(bin.from)) ≤ r &lt; \(LevelSummary.head(bin.below))"
      bar("right", x + 1, max(slot - 2, 1), from: 0, count: bin.correct, "\(range): \(bin.correct) correct")
      bar("fault", x + 1, max(slot - 2, 1), from: bin.correct, count: bin.wrong, "\(range): \(bin.wrong) wrong")
    }
    lines.append(
      "<line class=\"axis\" x1=\"\(Self.text(left))\" x2=\"400\" y1=\"\(Self.text(base))\" y2=\"\(Self.text(base))\"/>")
    lines.append(
      "<text class=\"tick\" x=\"\(Self.text(left + 18))\" y=\"\(Self.text(base + 18))\" text-anchor=\"middle\">abst.</text>"
    )
    // As many edges as have room for their numbers.
    let every =
      histogram.bins.indices.first { Double($0 + 1) * slot >= 46 }.map { $0 + 1 } ?? max(histogram.bins.count, 1)
    for index in stride(from: 0, through: histogram.bins.count, by: every) where !histogram.bins.isEmpty {
      let edge = index < histogram.bins.count ? histogram.bins[index].from : histogram.bins[index - 1].below
      let x = start + Double(index) * slot
      lines.append(
        "<text class=\"tick\" x=\"\(Self.text(x))\" y=\"\(Self.text(base + 18))\" text-anchor=\"middle\">\(LevelSummary.head(edge))</text>"
      )
    }
    lines.append("</svg>")
    return lines.joined(separator: "\n")
  }

  /// The figures in words, for readers who do not see the bars.
  private func label(_ histogram: RadiusHistogram) -> String {
    let bins = histogram.bins.filter { $0.correct + $0.wrong > 0 }.map { bin in
      "\(LevelSummary.head(bin.from)) to \(LevelSummary.head(bin.below)): \(bin.correct) correct"
        + (bin.wrong > 0 ? " and \(bin.wrong) wrong" : "")
    }
    return Escape.html(
      "Certified radii, \(series.name). Abstained: \(histogram.abstained). " + bins.joined(separator: "; ") + ".")
  }

  private static func text(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(abs(tenths % 10))"
  }
}
