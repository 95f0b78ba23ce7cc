import Tensors

/// A network's state after training steps, and the reference's.
///
/// Adam divides a gradient by its own size, so an element whose true gradient is about zero moves by the learning rate
/// in the direction of its rounding error. Two float32 programs then part by 2 · learning rate in a few elements, which
/// the tolerance on parameters allows; the tolerances on what is computed from such parameters must allow it, too, and
/// do so here only where such elements are seen.
struct AfterTraining {
  let names: [String]
  let ours: [String: [Float]]
  let reference: [String: [Float]]

  /// Nil when the folder has no such file.
  ///
  /// - Parameter prefix: stands before the state's names in the file.
  init?(_ context: GoldenContext, _ file: String, _ state: StateDict, prefix: String = "") throws {
    guard context.folder.contains(file) else { return nil }
    let tensors = try context.folder.tensors(file)
    names = tensors.names
    var (ours, reference): ([String: [Float]], [String: [Float]]) = ([:], [:])
    for name in names {
      let plain = name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name
      ours[name] = state[plain]?.values ?? []
      reference[name] = try tensors[name].values
    }
    (self.ours, self.reference) = (ours, reference)
  }

  private func isParameter(_ name: String) -> Bool {
    !name.contains(".running_") && !name.hasSuffix("num_batches_tracked")
  }

  /// What elements that went the other way may change in a loss of a later step: about the learning rate each.
  func lossAllowance(learningRate: Double) -> Double {
    var turned = 0
    for name in names where isParameter(name) {
      turned += zip(ours[name]!, reference[name]!).count { abs(Double($0) - Double($1)) > learningRate / 2 }
    }
    return Double(turned) * learningRate
  }

  /// Parameters, running statistics and counters.
  func compare(_ label: String, share: Double, reach: Double, _ check: inout GoldenCheck) {
    for name in names {
      if isParameter(name) {
        check.parameters("\(label) \(name)", ours[name]!, reference[name]!, share: share, reach: reach)
      } else {
        compareBuffer("\(label) \(name)", name, &check)
      }
    }
  }

  /// A moving average: 1e-5, less what comes from elements of the online network that are themselves further off.
  func compareAverage(_ label: String, of online: AfterTraining?, _ check: inout GoldenCheck) {
    for name in names {
      guard isParameter(name) else {
        compareBuffer("\(label) \(name)", name, &check)
        continue
      }
      var own = ours[name]!
      let reference = reference[name]!
      if let online, let a = online.ours[name], let b = online.reference[name], own.count == reference.count,
        a.count == own.count, b.count == own.count
      {
        for i in own.indices where abs(a[i] - b[i]) > 1e-5 {
          let difference = own[i] - reference[i]
          own[i] = reference[i] + (difference < 0 ? -1 : 1) * max(0, abs(difference) - abs(a[i] - b[i]))
        }
      }
      check.absolute("\(label) \(name)", own, reference, 1e-5)
    }
  }

  private func compareBuffer(_ label: String, _ name: String, _ check: inout GoldenCheck) {
    if name.hasSuffix("num_batches_tracked") {
      check.exact(label, ours[name]!, reference[name]!)
    } else {
      check.rms(label, ours[name]!, reference[name]!, 1e-3)
    }
  }
}
