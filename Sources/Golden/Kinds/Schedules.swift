import Models
import Tensors
import Training

/// Level grids, nearest levels, target EMA rates, numbers of levels, learning rates.
func checkSchedules(_ context: GoldenContext, _ subject: String, _ check: inout GoldenCheck) throws {
  let json = try context.folder.json(subject + ".json")
  for table in json.optional("sigma_tables")?.members ?? [] {
    guard let count = Int(table.key), 2...1_000_000 ~= count else {
      throw GoldenError("sigma_tables \"\(table.key)\" is no number")
    }
    let grid = NoiseLevels(count: count)
    let exact = NoiseLevels.exact(count: count)
    for column in table.value.members ?? [] {
      let name = "sigma_tables.\(count).\(column.key)"
      let reference = try table.value.requireDoubles(column.key)
      let reference32 = reference.map { Float($0) }
      switch column.key {
      case "f64": check.relative(name, exact, reference, 1e-14)
      case "denoiser_f32": check.units(name, exact.map { Float($0) }, reference32, 2)
      case "loss_f32": check.units(name, grid.levels, reference32, 2)
      case "finetune_f32": check.units(name, grid.search, reference32, 2)
      case "rescaled_t_f32": check.absolute(name, grid.levels.map(NoiseLevels.rescaledTime), reference32, 5e-4)
      case "c_in_f32": check.units(name, grid.levels.map(NoiseLevels.inputScale), reference32, 4)
      default: check.skip(name, "this column is unknown")
      }
    }
  }
  for member in json.members ?? [] where member.key.hasPrefix("nearest_in_") {
    guard let count = Int(member.key.dropFirst("nearest_in_".count)), 2...1_000_000 ~= count else {
      throw GoldenError("\"\(member.key)\" does not name a number of levels")
    }
    let grid = NoiseLevels(count: count)
    var (ours, reference): ([Int], [Int]) = ([], [])
    var (levels, referenceLevels): ([Float], [Float]) = ([], [])
    for entry in member.value.members ?? [] {
      guard let value = Double(entry.key) else { throw GoldenError("\(member.key) \"\(entry.key)\" is no number") }
      let index = grid.classifierIndex(noiseLevel: value)
      ours.append(index)
      reference.append(try entry.value.requireInt("index"))
      levels.append(grid.levels[index])
      referenceLevels.append(Float(try entry.value.requireDouble("sigma")))
    }
    check.exact("\(member.key).index", ours, reference)
    check.units("\(member.key).sigma", levels, referenceLevels, 2)
  }
  for (i, entry) in (json.optional("ema_and_scales")?.array ?? []).enumerated() {
    let parameters = try entry.require("params") { $0.members == nil ? nil : $0 }
    let (average, levels) = try schedules(parameters)
    let rows = try entry.requireArray("rows")
    let steps = try rows.map { try $0.requireInt("step") }
    check.relative(
      "ema_and_scales[\(i)].target_ema", steps.map(average.rate), try rows.map { try $0.requireDouble("target_ema") },
      1e-12)
    check.exact(
      "ema_and_scales[\(i)].num_scales", steps.map(levels.levels), try rows.map { try $0.requireInt("num_scales") })
  }
  for (i, entry) in (json.optional("lr")?.array ?? []).enumerated() {
    let base = try entry.requireDouble("base_lr")
    let schedule = try learningRateSchedule(try entry.require("params") { $0 })
    let rows = try entry.requireArray("rows")
    let factors = try rows.map { schedule.factor(at: try $0.requireInt("step")) }
    check.relative("lr[\(i)].scale", factors, try rows.map { try $0.requireDouble("scale") }, 1e-12, floor: 1e-15)
    check.relative(
      "lr[\(i)].lr", factors.map { $0 * base }, try rows.map { try $0.requireDouble("lr") }, 1e-12, floor: 1e-15 * base)
  }
}

/// The schedules of a parameter set as the authors' configuration names them.
func schedules(_ json: JSON) throws -> (AverageSchedule, LevelSchedule) {
  func mode<M: RawRepresentable<String> & CaseIterable>(_ key: String, _: M.Type) throws -> M {
    let name = try json.requireString(key)
    guard let mode = M(rawValue: name) else { throw GoldenError("\(key) \"\(name)\" is unknown") }
    return mode
  }
  let total = try json.requireInt("total_steps")
  let (start, end) = (try json.requireInt("start_scales"), try json.requireInt("end_scales"))
  let decaySteps = json.optional("ema_decay_steps")?.int ?? total
  guard 1...1_000_000_000 ~= total, 2...1_000_000 ~= start, start...1_000_000 ~= max(start, end), end >= start,
    decaySteps >= 1
  else {
    throw GoldenError(
      "total_steps \(total), start_scales \(start), end_scales \(end), ema_decay_steps \(decaySteps) make no schedule")
  }
  return (
    AverageSchedule(
      mode: try mode("target_ema_mode", AverageSchedule.Mode.self),
      sharpness: json.optional("target_ema_A")?.double ?? 10, start: try json.requireDouble("start_ema"),
      end: try json.requireDouble("end_ema"), decaySteps: decaySteps),
    LevelSchedule(
      mode: try mode("scale_mode", LevelSchedule.Mode.self), start: start, end: end, totalSteps: total)
  )
}

/// A learning-rate schedule as the authors' configuration names it; null and "constant" are constant.
func learningRateSchedule(_ json: JSON?) throws -> LearningRateSchedule {
  guard let json, json != .null, json.string != "constant" else { return LearningRateSchedule(shape: .constant) }
  let name = try json.requireString("name")
  guard let shape = LearningRateSchedule.Shape(rawValue: name) else {
    throw GoldenError("the learning-rate schedule \"\(name)\" is unknown")
  }
  let minimum = json.optional("min_scale")?.double
  return LearningRateSchedule(
    shape: shape, warmup: json.optional("warmup_steps")?.int ?? 0,
    total: shape == .warmupCosine ? try json.requireInt("total_training_steps") : 0,
    minimum: minimum == -1 ? nil : minimum)
}

/// The sinusoidal time token in several widths.
func checkTimeEmbedding(_ context: GoldenContext, _ subject: String, _ check: inout GoldenCheck) throws {
  let tensors = try context.folder.tensors(subject + ".safetensors")
  let times = try tensors["timesteps"].values
  for name in tensors.names where name.hasPrefix("dim") {
    guard let width = Int(name.dropFirst(3)), width >= 1 else { throw GoldenError("tensor \(name) names no width") }
    let reference = try tensors.tensor(name, shape: [times.count, width])
    check.absolute(name, times.flatMap { timeEmbedding($0, width: width) }, reference.values, 5e-4)
  }
}
