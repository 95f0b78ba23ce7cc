import Tensors
import Training

/// InfoNCE with targets of several processes, and with one process's own.
func checkContrastive(_ context: GoldenContext, _ subject: String, _ check: inout GoldenCheck) throws {
  let file = try context.folder.tensors(subject + ".safetensors")
  let f = try file.tensor("f", shape: [nil, nil])
  let (rows, dimension) = (f.shape[0], f.shape[1])
  let all = try file.tensor("f_target_all", shape: [nil, rows, dimension])
  guard let rank = try file.integers("rank").first, 0..<all.shape[0] ~= rank else {
    throw GoldenError("\(file.file): rank must be one of the \(all.shape[0]) processes")
  }
  guard let tau = try file["tau"].values.first, tau > 0 else { throw GoldenError("\(file.file): tau must be positive") }
  let own = Array(all.values[rank * f.count..<(rank + 1) * f.count])
  let gathered = InfoNCE(
    features: f.values, targets: all.values, dimension: dimension, tau: Double(tau), positiveOffset: rank * rows)
  let local = InfoNCE(features: f.values, targets: own, dimension: dimension, tau: Double(tau))
  for (name, loss) in [("gathered", gathered), ("local", local)] {
    check.absolute("nce_\(name)", loss.losses, try file["nce_\(name)"].values.map(Double.init), 1e-5)
    check.rms("grad_f_\(name)", loss.gradient, try file["grad_f_\(name)"].values, 1e-4)
  }
}

/// Variants of the consistency regulariser on given logits, and the loss of the tasks on clean images.
func checkFinetuneLosses(_ context: GoldenContext, _ subject: String, _ check: inout GoldenCheck) throws {
  let json = try context.folder.json(subject + ".json")
  let file = try context.folder.tensors(subject + ".safetensors")
  let first = try file.tensor("logits0", shape: [nil, nil])
  let classes = first.shape[1]
  let labels = try file.integers("labels")
  guard labels.count == first.shape[0], labels.allSatisfy({ 0..<classes ~= $0 }) else {
    throw GoldenError("\(file.file): labels must be \(first.shape[0]) classes from 0 to \(classes - 1)")
  }
  let (lambda, eta) = (try json.requireDouble("lbd"), try json.requireDouble("eta"))
  for member in json.members ?? [] {
    let parts = member.key.split(separator: "_")
    if parts.count == 3, parts[0] == "consistency", parts[1].hasPrefix("m"), let m = Int(parts[1].dropFirst()) {
      guard m >= 2, let variant = ConsistencyLoss.Variant(rawValue: String(parts[2])) else {
        check.skip(member.key, "this variant is unknown")
        continue
      }
      let logits = try (0..<m).flatMap { try file.tensor("logits\($0)", shape: first.shape.map(Optional.some)).values }
      let loss = ConsistencyLoss(
        logits: logits, classes: classes, copies: m, labels: .hard(labels), lambda: lambda, eta: eta, variant: variant)
      check.scaled(member.key, [loss.consistency], [try json.requireDouble(member.key)], 1e-5)
    } else if member.key == "linear_or_finetune_task_loss_on_logits0" {
      let loss = ProbeLoss(logits: first.values, classes: classes, labels: .hard(labels))
      check.scaled(member.key, [loss.total], [try json.requireDouble(member.key)], 1e-5)
    }
  }
}
