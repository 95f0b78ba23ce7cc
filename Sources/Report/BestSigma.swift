internal import Smoothing

extension RunReport.Level {
  /// Each image with the noise level that gave it the largest radius, the first on ties; never asks whether it is correct.
  ///
  /// Its certificate holds when all of the image's levels were computed at alpha divided by their number. An image is
  /// finished when it is so at every level.
  ///
  /// - Precondition: at least one level, all of one run.
  package init(bestOf levels: [RunReport.Level]) {
    var chosen: [Int: RunReport.Item] = [:]
    var finished: [Int: Int] = [:]
    for level in levels {
      for item in level.items {
        finished[item.imageIndex, default: 0] += 1
        if let other = chosen[item.imageIndex], (other.radius ?? -1) >= (item.radius ?? -1) { continue }
        var item = item
        item.sigma = level.sigma
        chosen[item.imageIndex] = item
      }
    }
    let items = chosen.values.filter { finished[$0.imageIndex] == levels.count }
    // It reaches as far as the level that reaches furthest; what depends on a level's grid is left out.
    let widest = levels.max { $0.sigma.value < $1.sigma.value }!
    self = widest
    self.label = "best of " + levels.map { "\($0.sigma)" }.joined(separator: ", ")
    self.slack = levels.map(\.slack).max()!
    self.choices = levels.count
    self.m = nil
    self.tableDigest = nil
    self.held = levels.map(\.held).max()!
    self.items = items.sorted { $0.imageIndex < $1.imageIndex }
  }
}
