// swift-tools-version: 6.1
import PackageDescription

// The fuzzers: the rooms that read outside data, compiled with libFuzzer's instrumentation, and a driver.
// Built and run by scripts/fuzz; a package of its own so that the product's build knows nothing of it.
// Rooms is a link to the product's sources, whose package-level declarations the targets use.

let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

func room(_ name: String, _ dependencies: [Target.Dependency] = [], path: String? = nil) -> Target {
  .target(name: name, dependencies: dependencies, path: path ?? "Rooms/\(name)", swiftSettings: strict)
}

let package = Package(
  name: "rrcm-fuzz",
  products: [.executable(name: "rrcm-fuzz", targets: ["Driver"])],
  dependencies: [.package(url: "https://github.com/jpsim/Yams", exact: "6.2.2")],
  targets: [
    .systemLibrary(name: "CCodecs", path: "Rooms/CCodecs", pkgConfig: "libturbojpeg"),
    .systemLibrary(name: "CCrypto", path: "Rooms/CCrypto", pkgConfig: "libcrypto"),
    .target(
      name: "CPrecise", path: "Rooms/CPrecise", linkerSettings: [.linkedLibrary("mpfr"), .linkedLibrary("gmp")]),
    .target(name: "CKernels", path: "Rooms/CKernels"),
    room("Smoothing", ["CPrecise"]),
    room("Noise", ["CPrecise", "CKernels", "CCrypto"]),
    room("Tensors", ["CCrypto"]),
    room("Models", ["Tensors"]),
    room("Datasets", ["Tensors", "CCodecs"]),
    room("Compute", ["Models", "Noise", "Tensors"]),
    room("Training", ["Compute", "Models", "Datasets", "Noise", "Tensors"]),
    room("RunFile", ["Training", "Models", "Noise", .product(name: "Yams", package: "Yams")]),
    room("FuzzTargets", ["Smoothing", "Tensors", "Models", "Datasets", "RunFile"], path: "Targets"),
    .executableTarget(
      name: "Driver", dependencies: ["FuzzTargets"], path: "Driver", swiftSettings: strict),
  ],
  swiftLanguageModes: [.v6]
)
