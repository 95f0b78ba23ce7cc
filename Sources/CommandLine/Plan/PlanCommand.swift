internal import ArgumentParser
internal import ComputeCPU
internal import Coordinator
internal import Foundation
internal import Lifecycle
internal import Models
internal import Noise
internal import RunFile
internal import Store

/// What run files would take, and what they could reach.
struct PlanCommand: AsyncParsableCommand, AnswersWithRows {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Say what run files would take (samples, chunks, hours, rows) and how far their radii can reach.",
    discussion: """
      rrcm plan configs/quickstart/certify.yaml
      rrcm plan certify.yaml --set smoothing.n=10000 --calibrate --workers 8

      Hours come from what the live workers were measured at on networks of this shape, from --samples-per-second, or \
      from --calibrate, which measures this machine for a few seconds. With --images no database is needed. Nothing is \
      written.
      Next: rrcm run submit FILE.yaml
      """)
  static let layouts = [
    RowLayout(
      columns: [
        "name", "kind", "images", "sigmas", "items", "samples", "chunks", "leases", "forward_passes", "workers",
        "samples_per_second", "speed_source", "hours", "rows", "bytes", "transactions", "transactions_per_second",
        "steps", "training_images", "seconds_per_step",
      ], isRecord: true),
    RowLayout(
      option: "--levels",
      columns: ["name", "sigma", "m", "slack", "n", "alpha", "largest_radius", "first_certifying_count"]),
  ]

  @Argument(help: "Run files (YAML).", completion: .file(extensions: ["yaml", "yml", "json"]))
  var files: [String]
  @Option(name: .long, help: "Override a setting of every file, for example --set smoothing.n=1000.")
  var set: [String] = []
  @Option(name: .long, help: "Speed of the whole fleet, in noise samples per second.")
  var samplesPerSecond: Double?
  @Flag(name: .long, help: "Measure the speed of one worker of this machine, for a few seconds per file.")
  var calibrate = false
  @Option(name: .long, help: "Workers to plan for; default: those that are live.")
  var workers: Int?
  @Option(name: .long, help: "Images that each run reads, as if they were imported: asks no database.")
  var images: Int?
  @Option(name: .long, help: "Shape CxHxW of those images; enters the sampler's slack alone.")
  var imageShape = "3x32x32"
  @Flag(name: .long, help: "Print only what each noise level can reach.")
  var levels = false
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if let samplesPerSecond, !(samplesPerSecond > 0 && samplesPerSecond.isFinite) {
      throw ValidationError("--samples-per-second is \(samplesPerSecond); it must be above 0")
    }
    if samplesPerSecond != nil && calibrate {
      throw ValidationError("--samples-per-second and --calibrate exclude each other; give one of them")
    }
    if let images, !(1...100_000_000).contains(images) {
      throw ValidationError("--images is \(images); it must be 1 to 100000000")
    }
    if imageElements == nil {
      throw ValidationError("--image-shape is \(imageShape); write channels, height and width as in 3x32x32")
    }
    if images != nil && calibrate {
      throw ValidationError("--calibrate needs the checkpoint's shape from the database; leave --images out")
    }
    if let workers, !(1...1_000_000).contains(workers) {
      throw ValidationError("--workers is \(workers); it must be 1 to 1000000")
    }
  }

  private var imageElements: Int? {
    let sides = imageShape.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
    guard sides.count == 3, sides.allSatisfy({ $0.map { (1...100_000).contains($0) } ?? false }) else { return nil }
    return sides.reduce(1) { $0 * $1! }
  }

  /// A run with what is known of it.
  private struct Entry {
    let spec: RunSpec
    let forecast: Forecast
    var model: ViTConfiguration?
    var speed = Speed()
  }

  /// The runs of the files, looked up in the database unless `--images` stands in for it.
  private func entries() async throws -> [Entry] {
    let specs = try RunFile.read(paths: files, overrides: set)
    if let images {
      return try specs.map { spec in
        var entry = Entry(
          spec: spec,
          forecast: try Forecast(
            spec, images: spec.dataset.limit.map { min($0, images) } ?? images,
            elements: imageElements!))
        if spec.kind == .certify {
          entry.speed = Speed(
            fleet: samplesPerSecond, workers: workers ?? (samplesPerSecond == nil ? nil : 1),
            source: samplesPerSecond == nil ? nil : "given")
        } else {
          entry.speed.workers = 1
        }
        return entry
      }
    }
    let store = try await Context().store("plan")
    var entries: [Entry] = []
    for run in try await Submission(store: store, software: Software.version).prepare(specs) {
      var entry = Entry(spec: run.spec, forecast: Forecast(run), model: run.model)
      if !levels { entry.speed = try await speed(of: entry, in: store) }
      entries.append(entry)
    }
    return entries
  }

  func run() async throws {
    let entries = try await entries()
    var table = OutputTable(Self.layouts[0])
    var reach = OutputTable(Self.layouts[1])
    var hours: Double? = 0
    for entry in entries {
      let took = entry.speed.hours(entry.forecast)
      hours = hours.flatMap { sum in took.map { sum + $0 } }
      var row = Self.row(entry, hours: took)
      if output.output == .table, let took {
        row[12] = .text(String(format: "%.3f, which is ", took) + ProgressDisplay.duration(took * 3600))
      }
      table.add(row)
      guard let draws = entry.forecast.draws else { continue }
      for level in entry.forecast.levels {
        reach.add([
          .text(entry.spec.name), .text(level.sigma), .int(level.gridM), small(level.slack), .int(draws.n),
          small(draws.alpha), .bound(level.largestRadius), .int(level.firstCertifyingCount),
        ])
      }
    }
    if levels {
      reach.print(output)
      return
    }
    table.print(output)
    guard output.output == .table else { return }
    if !reach.rows.isEmpty { Console.out("\n" + reach.text(.table)) }
    if entries.count > 1, let hours { Console.say("all together: \(ProgressDisplay.duration(hours * 3600))") }
    if hours == nil {
      Console.say(
        "note: hours are unknown where no live worker has computed this shape; give --samples-per-second or --calibrate"
      )
    }
  }

  /// A number that three decimals would make zero of.
  private func small(_ value: Double) -> OutputTable.Cell {
    output.output == .table ? .text("\(value)") : .double(value)
  }

  private static func row(_ entry: Entry, hours: Double?) -> [OutputTable.Cell] {
    let (forecast, speed) = (entry.forecast, entry.speed)
    let isCertification = forecast.draws != nil
    func certifying(_ value: Int?) -> OutputTable.Cell { .int(isCertification ? value : nil) }
    let passes = entry.model.map { forecast.forwardPasses(batch: CPUDevice.defaultBatch(for: $0)) }
    let transactions = speed.perWorker.map { forecast.transactions(samplesPerSecond: $0) }
    // Each worker also beats, every ten seconds.
    let beats = speed.workers.map { Double($0) / FleetTimings().beatEvery.inSeconds }
    let rate = hours.flatMap { hours in
      transactions.flatMap { count in beats.map { hours > 0 ? Double(count) / (hours * 3600) + $0 : $0 } }
    }
    return [
      .text(entry.spec.name), .text(entry.spec.kind.rawValue), .int(forecast.images), certifying(forecast.sigmas),
      certifying(forecast.items), certifying(forecast.samples), certifying(forecast.chunks),
      certifying(speed.perWorker.map { forecast.leases(samplesPerSecond: $0) }), certifying(passes),
      .int(speed.workers), .double(isCertification ? speed.fleet : nil), .text(speed.source), .double(hours),
      certifying(forecast.rows), certifying(forecast.bytes), certifying(transactions),
      .double(isCertification ? rate : nil), .int(forecast.steps), .int(forecast.trainingImages),
      .double(speed.secondsPerStep),
    ]
  }

  // MARK: Speed

  /// How fast it would go, and how that is known.
  private struct Speed {
    /// Samples per second of all workers together.
    var fleet: Double?
    var workers: Int?
    var secondsPerStep: Double?
    var source: String?

    var perWorker: Double? { fleet.flatMap { fleet in workers.map { fleet / Double(max($0, 1)) } } }

    func hours(_ forecast: Forecast) -> Double? {
      if let steps = forecast.steps { return secondsPerStep.map { $0 * Double(steps) / 3600 } }
      return fleet.map { Double(forecast.samples) / $0 / 3600 }
    }
  }

  private func speed(of entry: Entry, in store: Store) async throws -> Speed {
    let encoded = try entry.model.map { String(decoding: try JSONEncoder().encode($0), as: UTF8.self) }
    let measured = try await store.measuredSpeeds(configuration: encoded ?? "null")
    let live = workers ?? measured.count
    guard let level = entry.forecast.levels.first else {
      // One worker trains.
      guard calibrate, let model = entry.model else { return Speed(workers: 1) }
      let spec = entry.spec
      let seconds = try await offPool { try Calibration.secondsPerStep(spec, model: model) }
      return Speed(workers: 1, secondsPerStep: seconds, source: "calibrated here, one thread")
    }
    if let samplesPerSecond {
      return Speed(fleet: samplesPerSecond, workers: max(live, 1), source: "given")
    }
    if calibrate {
      guard let model = entry.model, let sigma = Sigma(level.sigma) else { return Speed(workers: live) }
      let speed = try await offPool { try Calibration.samplesPerSecond(model, sigma: sigma) }
      let workers = max(live, 1)
      return Speed(
        fleet: speed * Double(workers), workers: workers,
        source: "calibrated here, one thread; \(counted(workers, "worker")) like it")
    }
    let known = measured.compactMap(\.samplesPerSecond)
    guard !known.isEmpty else { return Speed(workers: live) }
    // Those that have not computed this shape yet are taken for average.
    let mean = known.reduce(0, +) / Double(known.count)
    return Speed(
      fleet: mean * Double(live), workers: live,
      source: "measured on \(known.count) of \(counted(measured.count, "live worker"))")
  }
}
