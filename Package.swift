// swift-tools-version: 6.1
import PackageDescription

// The rooms of the house, from the ground up. A target imports only targets above it in this list
// (lower floors); Tests/ArchitectureTests reads this package and fails on an import that points up.
// docs/architecture.md says what each room holds.

let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

// Kernels are built at full speed in debug builds too, so that tests exercise what people run.
let kernelSettings: [CSetting] = [.unsafeFlags(["-O3", "-ffp-contract=off", "-fno-math-errno"])]

func room(
  _ name: String, _ dependencies: [Target.Dependency] = [], path: String? = nil, exclude: [String] = [],
  resources: [Resource] = []
) -> Target {
  .target(
    name: name, dependencies: dependencies, path: path ?? "Sources/\(name)", exclude: exclude, resources: resources,
    swiftSettings: strict)
}

func tests(
  _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = [], resources: [Resource] = []
) -> Target {
  .testTarget(
    name: name, dependencies: dependencies, path: "Tests/\(name)", exclude: exclude, resources: resources,
    swiftSettings: strict)
}

let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
  name: "rrcm-fleet",
  products: [
    .executable(name: "rrcm", targets: ["rrcm"]),
    // For tests that start a process on the GPU they bring along.
    .library(name: "EmulatedCUDA", type: .dynamic, targets: ["CUDAEmulator"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
    .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
    .package(url: "https://github.com/swhitty/FlyingFox", exact: "0.27.1"),
  ],
  targets: [
    // Floor 0: C. System libraries and our own kernels.
    .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    .systemLibrary(name: "CCodecs", pkgConfig: "libturbojpeg", providers: [.apt(["libturbojpeg0-dev", "libpng-dev"])]),
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
    .target(
      name: "CPrecise", path: "Sources/CPrecise", linkerSettings: [.linkedLibrary("mpfr"), .linkedLibrary("gmp")]),
    .target(name: "CCUDA", path: "Sources/CCUDA", exclude: ["kernels"]),
    .target(name: "CKernels", path: "Sources/CKernels", cSettings: kernelSettings),

    // Floor 1: facts. Pure values and functions; no database, no device, no clock.
    room("Smoothing", ["CPrecise"]),
    room("Noise", ["CPrecise", "CKernels", "CCrypto"]),
    room("Lifecycle"),
    room("Tensors", ["CCrypto"]),

    // Floor 2: the model's shape and files, images, stored files, logs.
    room("Models", ["Tensors"]),
    room("Datasets", ["Tensors", "CCodecs"]),
    room("Artifacts", ["Tensors", "CCrypto", "CCurl"]),
    room(
      "Telemetry",
      [
        logging, lifecycle, .product(name: "FlyingFox", package: "FlyingFox"),
        .product(name: "FlyingSocks", package: "FlyingFox"),
      ]),

    // Floor 3: what a device must do; the database client.
    room("Compute", ["Models", "Noise", "Tensors"]),
    room("Database", ["CLibPQ", logging]),

    // Floor 4: a device, the training loop, every SQL statement.
    room("ComputeCPU", ["Compute", "Models", "Noise", "Tensors", "CKernels"]),
    room("ComputeCUDA", ["Compute", "Models", "Noise", "Tensors", "CCUDA"]),
    room("Training", ["Compute", "Models", "Datasets", "Noise", "Tensors"]),
    room(
      "Migrations", ["Database", "CCrypto"], path: "migrations", exclude: ["schema.sql"],
      resources: [.embedInCode("sql")]),
    room("Store", ["Database", "Lifecycle"], resources: [.embedInCode("SQL")]),

    // Floor 5: what a person asks for; everything on one machine.
    room("RunFile", ["Training", "Models", "Noise", "Smoothing", .product(name: "Yams", package: "Yams")]),
    room("LocalFleet", ["Database", "Migrations", logging]),

    // Floor 6: one long-running job each.
    room(
      "Worker",
      [
        "Store", "Lifecycle", "Compute", "ComputeCPU", "Training", "Models", "Datasets", "Noise", "Tensors",
        "Artifacts", "RunFile", "Telemetry", "Database", logging, lifecycle,
      ]),
    room(
      "Coordinator",
      [
        "Store", "Database", "Smoothing", "Lifecycle", "RunFile", "Training", "Models", "Noise", "Tensors", "Artifacts",
        "CCrypto", "Telemetry", logging, lifecycle, .product(name: "FlyingFox", package: "FlyingFox"),
        .product(name: "FlyingSocks", package: "FlyingFox"),
      ]),
    room("Aggregator", ["Store", "Database", "Smoothing", "Lifecycle", "Noise", "Telemetry", logging, lifecycle]),
    room("Report", ["Smoothing"]),
    room(
      "Golden",
      ["Training", "ComputeCPU", "Compute", "Models", "Tensors", "Smoothing", "Datasets", "Noise"]),

    // Floor 7: doors.
    room(
      "CommandLine",
      [
        "Worker", "Coordinator", "Aggregator", "Report", "Golden", "LocalFleet", "Migrations", "Store", "Database",
        "RunFile", "Datasets", "Models", "Artifacts", "Smoothing", "Noise", "Tensors", "Lifecycle", "Telemetry",
        "Training", "ComputeCPU", "ComputeCUDA", "Compute", logging, lifecycle, arguments,
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ]),

    // Floor 8: wiring only.
    .executableTarget(name: "rrcm", dependencies: ["CommandLine"], path: "Sources/rrcm", swiftSettings: strict),

    // Beside: our arms of the benchmarks; what tests share, and the tests.
    .executableTarget(
      name: "ForwardArm", dependencies: ["ComputeCPU", "Compute", "Models", "Noise", "Tensors"],
      path: "Benchmarks/forward/ForwardArm", swiftSettings: strict),
    .executableTarget(
      name: "GPUArm", dependencies: ["ComputeCUDA", "ComputeCPU", "Compute", "Golden", "Models", "Noise", "Tensors"],
      path: "Benchmarks/gpu/GPUArm", swiftSettings: strict),
    .executableTarget(
      name: "QueueArm",
      dependencies: [
        "Worker", "Coordinator", "Aggregator", "Store", "Database", "Migrations", "Lifecycle", "Compute", "Models",
        "Datasets", "Artifacts", "Tensors", "Training", "Noise", "RunFile", "Telemetry", logging, arguments,
      ],
      path: "Benchmarks/queue/QueueArm", swiftSettings: strict),
    room(
      "TestSupport", ["CCodecs", "Database", "Migrations", "Tensors", "LocalFleet", logging], path: "Tests/TestSupport"),
    room("FuzzTargets", ["Smoothing", "Tensors", "Models", "Datasets", "RunFile"], path: "Tests/Fuzz/Targets"),
    tests("FuzzTests", ["FuzzTargets", "TestSupport"]),
    tests(
      "RefusalTests", ["Store", "Database", "LocalFleet", "Models", "Noise", "Training", "TestSupport", logging]),
    tests("ArchitectureTests", []),
    tests("SmoothingTests", ["Smoothing", "TestSupport"]),
    tests("NoiseTests", ["Noise", "CKernels", "Tensors", "TestSupport"]),
    tests("TensorsTests", ["Tensors", "TestSupport"]),
    tests("ModelsTests", ["Models", "Tensors", "TestSupport"]),
    tests("ArtifactsTests", ["Artifacts", "Models", "Tensors", "TestSupport"]),
    tests("DatasetsTests", ["Datasets", "Tensors", "CCodecs", "TestSupport"]),
    .target(
      name: "CUDAEmulator", dependencies: ["CCUDA"], path: "Tests/CUDAEmulator",
      cxxSettings: [.unsafeFlags(["-O2", "-ffp-contract=off"])]),
    tests(
      "CUDATests",
      [
        "ComputeCUDA", "CCUDA", "ComputeCPU", "CUDAEmulator", "Compute", "Golden", "Models", "Noise", "Tensors",
        "TestSupport",
      ]),
    tests("ComputeTests", ["ComputeCPU", "CKernels", "Compute", "Models", "Noise", "Tensors", "TestSupport"]),
    tests("TrainingTests", ["Training", "ComputeCPU", "Compute", "Models", "Tensors", "Golden", "TestSupport"]),
    tests("RunFileTests", ["RunFile", "Smoothing", "Noise", "Training", "TestSupport"]),
    tests("DatabaseTests", ["Database", "Migrations", "LocalFleet", "TestSupport", logging]),
    tests("SchemaTests", ["Database", "Migrations", "LocalFleet", "Store", "Lifecycle", "TestSupport"]),
    tests("DeployTests", ["Database", "TestSupport", .product(name: "Yams", package: "Yams")]),
    tests("TelemetryTests", ["Telemetry", logging, lifecycle]),
    tests("LifecycleTests", ["Lifecycle"]),
    tests(
      "StoreTests",
      ["Aggregator", "Smoothing", "Telemetry", logging, "Store", "Lifecycle", "Database", "Migrations", "TestSupport"]),
    tests("ReportTests", ["Report", "Smoothing", "TestSupport"], exclude: ["Golden"]),
    tests(
      "CoordinatorTests",
      [
        "Coordinator", "RunFile", "Store", "Database", "Models", "Noise", "Telemetry", "Lifecycle", "Artifacts",
        "Tensors", "Training", "TestSupport", logging,
      ]),
    tests("CommandLineTests", ["CommandLine", "Store", "Database", "Models", "Tensors", "TestSupport", arguments]),
    tests(
      "FleetTests",
      [
        "CommandLine", "Worker", "Store", "Lifecycle", "LocalFleet", "Migrations", "Database", "Artifacts", "Datasets",
        "Models", "Training", "ComputeCPU", "ComputeCUDA", "CUDAEmulator", "Compute", "Noise", "Tensors", "Telemetry",
        "TestSupport", logging,
      ]),
  ],
  swiftLanguageModes: [.v6], cxxLanguageStandard: .cxx17
)
