internal import Smoothing

/// How many finished images of one series used how many estimation draws, in steps of 1, 2, 5, 10, …
struct SamplesHistogram {
  struct Bin: Equatable {
    /// Least number of draws of the bin.
    let from: Int
    /// Least number of the next one.
    let below: Int
    var count = 0
  }

  let bins: [Bin]

  /// - Parameter most: the largest number of draws that the axis must hold.
  init(_ level: RunReport.Level, most: Int? = nil) {
    let draws = level.items.map(\.draws)
    let largest = max(most ?? 0, draws.max() ?? 0)
    guard largest > 0 else {
      bins = []
      return
    }
    let smallest = max(draws.min() ?? 1, 1)
    var edges: [Int] = []
    var unit = 1
    while (edges.last ?? 0) <= largest {
      for digit in [1, 2, 5] { edges.append(digit * unit) }
      unit *= 10
    }
    var bins = zip(edges, edges.dropFirst()).map { Bin(from: $0, below: $1) }.filter {
      $0.below > smallest && $0.from <= largest
    }
    for count in draws {
      if let place = bins.firstIndex(where: { count < $0.below }) { bins[place].count += 1 }
    }
    self.bins = bins
  }
}

/// Draws used per image as bars. With mode `fixed` there is one bar: every image uses n.
struct SamplesSVG {
  let series: ReportSet.Series
  /// Right end of the axis, the same for all charts of a plot.
  let most: Int

  var markup: String {
    let histogram = SamplesHistogram(series.level, most: most)
    let highest = max(histogram.bins.map(\.count).max() ?? 1, 1)
    let slot = 340.0 / Double(max(histogram.bins.count, 1))
    func text(_ value: Double) -> String {
      let tenths = Int((value * 10).rounded())
      return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }
    var lines = [
      "<svg class=\"histogram s\(series.color)\" viewBox=\"0 0 400 180\" role=\"img\" aria-label=\"Draws used per image: \(Escape.html(series.name))\">",
      "<line class=\"grid\" x1=\"38\" x2=\"400\" y1=\"12\" y2=\"12\"/>",
      "<text class=\"tick\" x=\"32\" y=\"12\" dy=\".35em\" text-anchor=\"end\">\(NumberText.grouped(highest))</text>",
      "<text class=\"tick\" x=\"32\" y=\"150\" dy=\".35em\" text-anchor=\"end\">0</text>",
    ]
    let every = max(Int((52 / slot).rounded(.up)), 1)
    for (place, bin) in histogram.bins.enumerated() {
      let x = 48 + Double(place) * slot
      let height = 138 * Double(bin.count) / Double(highest)
      if bin.count > 0 {
        lines.append(
          "<rect class=\"right\" x=\"\(text(x + 1))\" y=\"\(text(150 - height))\" width=\"\(text(max(slot - 2, 1)))\" "
            + "height=\"\(text(height))\"><title>\(bin.from) to \(bin.below - 1) draws: \(bin.count) images</title></rect>"
        )
      }
      if place % every == 0 {
        lines.append(
          "<text class=\"tick\" x=\"\(text(x))\" y=\"168\" text-anchor=\"middle\">\(NumberText.grouped(bin.from))</text>"
        )
      }
    }
    lines += ["<line class=\"axis\" x1=\"38\" x2=\"400\" y1=\"150\" y2=\"150\"/>", "</svg>"]
    return lines.joined(separator: "\n")
  }
}
