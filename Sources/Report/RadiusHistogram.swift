internal import Smoothing

/// How many finished images of one sigma were certified with a radius in each step, and how many abstained.
struct RadiusHistogram {
  struct Bin: Equatable {
    let from: Double
    let below: Double
    var correct = 0
    var wrong = 0
  }

  /// From radius 0 to the largest certified one, empty steps included; none when nothing is certified.
  let bins: [Bin]
  let abstained: Int
  let unfinished: Int

  /// - Parameter mostBins: steps widen from 0.05 to 0.1, 0.25, 0.5, 1, … so that no more are needed.
  init(_ level: RunReport.Level, reaching furthest: Double? = nil, mostBins: Int = 24) {
    abstained = level.items.count { $0.radius == nil }
    unfinished = level.planned - level.items.count
    let largest = max(level.largestRadius ?? -1, furthest ?? -1)
    guard largest >= 0 else {
      bins = []
      return
    }
    let (unit, step) =
      [(20, 1), (10, 1), (4, 1), (2, 1), (1, 1), (1, 2), (1, 5), (1, 10), (1, 100)]
      .first { Int(largest * Double($0.0)) / $0.1 < mostBins } ?? (1, Int(largest) / mostBins + 1)
    // Edges are one division each, as in every table; no radius is moved over an edge by a rounded product.
    func edge(_ index: Int) -> Double { Double(index * step) / Double(unit) }
    func place(_ radius: Double) -> Int {
      let guess = Int(radius * Double(unit)) / step
      return radius < edge(guess) ? guess - 1 : radius >= edge(guess + 1) ? guess + 1 : guess
    }
    var bins = (0...place(largest)).map { Bin(from: edge($0), below: edge($0 + 1)) }
    for item in level.items {
      guard let radius = item.radius else { continue }
      if item.isCorrect { bins[place(radius)].correct += 1 } else { bins[place(radius)].wrong += 1 }
    }
    self.bins = bins
  }
}
