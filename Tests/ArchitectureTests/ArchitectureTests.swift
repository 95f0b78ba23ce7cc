import Foundation
import Testing

/// The floors of the house; a target may import only targets of lower floors.
private let floors: [[String]] = [
  ["CLibPQ", "CCodecs", "CCrypto", "CCurl", "CPrecise", "CKernels", "CCUDA"],
  ["Smoothing", "Noise", "Lifecycle", "Tensors"],
  ["Models", "Datasets", "Artifacts", "Telemetry"],
  ["Compute", "Database"],
  ["ComputeCPU", "ComputeCUDA", "Training", "Migrations", "Store"],
  ["RunFile", "LocalFleet"],
  ["Worker", "Coordinator", "Aggregator", "Report", "Golden"],
  ["CommandLine"],
  ["rrcm"],
]

private let floorOf: [String: Int] = Dictionary(
  uniqueKeysWithValues: floors.enumerated().flatMap { floor, names in names.map { ($0, floor) } })

private struct Package: Decodable {
  struct Target: Decodable {
    let name: String
    let type: String
    let path: String
    let sources: [String]
    let targetDependencies: [String]?

    enum CodingKeys: String, CodingKey {
      case name, type, path, sources
      case targetDependencies = "target_dependencies"
    }

    var isPartOfProduct: Bool { !path.hasPrefix("Tests/") && !path.hasPrefix("Benchmarks/") }
  }

  let targets: [Target]

  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path

  /// What `swift package describe` says of this package.
  static func described() throws -> Package {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    let scratch = NSTemporaryDirectory() + "/rrcm-describe-\(ProcessInfo.processInfo.processIdentifier)"
    process.arguments = [
      "swift", "package", "--package-path", root, "--scratch-path", scratch, "describe", "--type", "json",
    ]
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let text = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    try? FileManager.default.removeItem(atPath: scratch)
    return try JSONDecoder().decode(Package.self, from: text)
  }
}

@Suite("The house") struct ArchitectureTests {
  private let package: Package

  init() throws { package = try Package.described() }

  @Test("every target has its floor")
  func everyTargetHasAFloor() {
    let names = Set(package.targets.filter(\.isPartOfProduct).map(\.name))
    #expect(names.subtracting(floorOf.keys).isEmpty, "give new targets a floor here and in docs/architecture.md")
    #expect(Set(floorOf.keys).subtracting(names).isEmpty, "these floors name targets that are gone")
  }

  @Test("no target depends on its own floor or one above")
  func dependenciesPointDown() {
    for target in package.targets where target.isPartOfProduct {
      for dependency in target.targetDependencies ?? [] {
        #expect(
          floorOf[dependency]! < floorOf[target.name]!, "\(target.name) depends on \(dependency), which is not below it"
        )
      }
    }
  }

  @Test("no import points up, or at a target that is not declared as a dependency")
  func importsPointDown() throws {
    for target in package.targets where target.isPartOfProduct {
      let declared = Set(target.targetDependencies ?? [])
      for source in target.sources where source.hasSuffix(".swift") {
        let path = "\(Package.root)/\(target.path)/\(source)"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        for line in text.split(separator: "\n") {
          guard
            let match = line.wholeMatch(
              of: /(?:@\w+\s+)?(?:(?:package|public|internal|private|fileprivate)\s+)?import\s+(?:\w+\s+)?(\w+).*/)
          else { continue }
          let module = String(match.1)
          guard let floor = floorOf[module] else { continue }
          #expect(floor < floorOf[target.name]!, "\(target.name)/\(source) imports \(module), which is not below it")
          #expect(declared.contains(module), "\(target.name)/\(source) imports \(module) without declaring it")
        }
      }
    }
  }

  @Test("statements begin with their name, and the embedder's names do not collide")
  func statementsAreNamed() throws {
    let folder = "\(Package.root)/Sources/Store/SQL"
    for file in try FileManager.default.contentsOfDirectory(atPath: folder) {
      let text = try String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8)
      #expect(text.hasPrefix("-- name: \(file.dropLast(4))\n"), "\(file) must begin with its name")
      #expect(file.first!.isLetter, "\(file): the embedder replaces a leading digit")
    }
  }
}
