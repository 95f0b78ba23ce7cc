internal import Smoothing

/// Certified accuracy against radius as inline SVG, coloured by the page's style sheet.
///
/// Curves are exact step functions. A band around each shows the sampling error of its images (exact binomial, 95 %); it
/// reaches from "all unfinished wrong" to "all right" while images are unfinished.
struct CurveSVG {
  /// Pixels of the drawing; two are placed in the page, one for wide and one for narrow screens.
  struct Size {
    let width: Double
    let height: Double
    let name: String
    /// Distance of labelled radii may not fall under this many pixels.
    let tickGap: Double

    static let wide = Size(width: 820, height: 400, name: "wide", tickGap: 62)
    static let narrow = Size(width: 380, height: 320, name: "narrow", tickGap: 44)
  }

  private let runs: ReportSet
  private let size: Size
  private let span: Double
  private let left = 46.0
  private let top = 14.0
  private let bottom = 44.0
  private let right = 14.0

  init(_ runs: ReportSet, size: Size) {
    self.runs = runs
    self.size = size
    self.span = runs.span
  }

  var markup: String {
    let names = runs.series.map(\.name).joined(separator: "; ")
    var lines = [
      "<svg class=\"curve \(size.name)\" viewBox=\"0 0 \(Self.coordinate(size.width)) \(Self.coordinate(size.height))\" "
        + "role=\"img\" aria-label=\"Certified accuracy against certified radius: \(Escape.html(names)). "
        + "The table below has the figures.\">"
    ]
    lines += axes
    let series = runs.series.filter { !$0.level.items.isEmpty }
    lines += series.map(band) + series.map(curve)
    lines.append("</svg>")
    return lines.joined(separator: "\n")
  }

  private var plotWidth: Double { size.width - left - right }
  private var plotHeight: Double { size.height - top - bottom }
  private func x(_ radius: Double) -> Double { left + plotWidth * min(radius / span, 1) }
  private func y(_ share: Double) -> Double { top + plotHeight * (1 - share) }

  private var axes: [String] {
    var lines: [String] = []
    for percent in stride(from: 0, through: 100, by: 20) {
      let height = Self.coordinate(y(Double(percent) / 100))
      lines.append(
        "<line class=\"\(percent == 0 ? "axis" : "grid")\" x1=\"\(Self.coordinate(left))\" x2=\"\(Self.coordinate(size.width - right))\" y1=\"\(height)\" y2=\"\(height)\"/>"
      )
      lines.append(
        "<text class=\"tick\" x=\"\(Self.coordinate(left - 8))\" y=\"\(height)\" dy=\".35em\" text-anchor=\"end\">\(percent)%</text>"
      )
    }
    for radius in ticks {
      let place = Self.coordinate(x(radius))
      let base = y(0)
      lines.append(
        "<line class=\"axis\" x1=\"\(place)\" x2=\"\(place)\" y1=\"\(Self.coordinate(base))\" y2=\"\(Self.coordinate(base + 5))\"/>"
      )
      lines.append(
        "<text class=\"tick\" x=\"\(place)\" y=\"\(Self.coordinate(base + 19))\" text-anchor=\"middle\">\(LevelSummary.head(radius))</text>"
      )
    }
    lines.append(
      "<text class=\"label\" x=\"\(Self.coordinate(left + plotWidth / 2))\" y=\"\(Self.coordinate(size.height - 6))\" text-anchor=\"middle\">certified L2 radius</text>"
    )
    return lines
  }

  /// Radii in steps of 1, 2 or 5 tenths of a power of ten, or quarters, as many as fit.
  private var ticks: RadiusGrid {
    let fits = { (step: Double) in plotWidth * step / span >= size.tickGap }
    for (unit, step) in [(20, 1), (10, 1), (4, 1), (2, 1), (1, 1), (1, 2), (1, 5), (1, 10), (1, 50), (1, 200)]
    where fits(Double(step) / Double(unit)) {
      return RadiusGrid(unit: unit, step: step, through: Int(span * Double(unit)))
    }
    return RadiusGrid(unit: 1, through: 0)
  }

  private func curve(_ series: ReportSet.Series) -> String {
    let classes = "line s\(series.color) d\(series.dash)\(series.isImported ? " imported" : "")"
    let path = Self.path(steps(series.accuracy) { Double($0) / Double(max(series.accuracy.planned, 1)) })
    return "<path class=\"\(classes)\" d=\"\(path)\"><title>\(Escape.html(series.name))</title></path>"
  }

  private func band(_ series: ReportSet.Series) -> String {
    let accuracy = series.accuracy
    let bounds = SamplingBand(accuracy)
    // Unfinished images may turn out right at any radius up to the reach; nothing is known to lie beyond it.
    let end = x(series.level.isFinished ? accuracy.largestCertified ?? 0 : series.level.reach)
    let high = steps(accuracy, until: end) { bounds.upper($0) } + [Point(x: end, y: y(0))]
    let low = steps(accuracy, until: end) { bounds.lower($0) }
    let back = low.reversed().map { "L\(Self.coordinate($0.x)) \(Self.coordinate($0.y))" }.joined()
    return "<path class=\"band s\(series.color)\" d=\"\(Self.path(high))\(back)Z\"/>"
  }

  private struct Point: Equatable {
    let x: Double
    let y: Double
  }

  /// Corners of the step function from r = 0 to where it reaches zero, or on to `until`.
  ///
  /// - Parameter share: of all images, for a number of certified ones.
  private func steps(_ accuracy: CertifiedAccuracy, until end: Double? = nil, share: (Int) -> Double) -> [Point] {
    let radii = accuracy.correctRadii
    var points = [Point(x: x(0), y: y(share(radii.count)))]
    for (index, radius) in radii.enumerated() {
      let place = x(radius)
      points.append(Point(x: place, y: points[points.count - 1].y))
      points.append(Point(x: place, y: y(share(radii.count - index - 1))))
    }
    if let end, let last = points.last, last.x < end { points.append(Point(x: end, y: last.y)) }
    return points
  }

  private static func path(_ points: [Point]) -> String {
    var text = ""
    var last = ""
    for point in points {
      let place = "\(coordinate(point.x)) \(coordinate(point.y))"
      if place != last { text += (text.isEmpty ? "M" : "L") + place }
      last = place
    }
    return text
  }

  /// A tenth of a pixel.
  private static func coordinate(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(abs(tenths % 10))"
  }
}

/// Bounds on the share among all such images for every count that a curve passes.
///
/// Exact at two hundred counts; between those the next one outward stands, so that the band is never too narrow.
struct SamplingBand {
  private let total: Int
  private let unfinished: Int
  private let step: Int
  private let lowers: [Double]
  private let uppers: [Double]

  init(_ accuracy: CertifiedAccuracy) {
    total = accuracy.planned
    unfinished = accuracy.unfinished
    let most = accuracy.correctRadii.count
    let step = max((most + 199) / 200, 1)
    self.step = step
    let (unfinished, total) = (unfinished, total)
    let counts = (0...(most + step - 1) / step).map { $0 * step }
    lowers = counts.map { SamplingInterval.lower(min($0, most), of: max(total, 1)) }
    uppers = counts.map { SamplingInterval.upper(min($0 + unfinished, total), of: max(total, 1)) }
  }

  func lower(_ certified: Int) -> Double { lowers[certified / step] }
  func upper(_ certified: Int) -> Double { uppers[(certified + step - 1) / step] }
}
