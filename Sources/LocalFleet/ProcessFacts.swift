internal import Foundation

/// What `/proc` says about a process.
struct ProcessFacts: Equatable {
  /// Short program name, at most 15 bytes.
  let name: String
  /// Clock ticks between boot and the start of the process; with the pid it names a process for good (until reboot).
  let startTicks: UInt64
  let isZombie: Bool

  /// - Returns: nil when no such process exists.
  init?(pid: pid_t) {
    // pid (name) state ppid … starttime is field 22. The name may hold blanks and brackets: read from the last one.
    guard let text = Files.text("/proc/\(pid)/stat"), let open = text.firstIndex(of: "("),
      let close = text.lastIndex(of: ")")
    else { return nil }
    let fields = text[text.index(after: close)...].split(separator: " ")
    guard fields.count > 19, let ticks = UInt64(fields[19]) else { return nil }
    name = String(text[text.index(after: open)..<close])
    startTicks = ticks
    isZombie = fields[0] == "Z" || fields[0] == "X"
  }

  /// The program's working folder; nil when it may not be seen.
  static func workingDirectory(_ pid: pid_t) -> String? {
    try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/cwd")
  }

  /// Changes at every boot.
  static var bootIdentifier: String {
    (Files.text("/proc/sys/kernel/random/boot_id") ?? "unknown").trimmingCharacters(in: .whitespacesAndNewlines)
  }
}
