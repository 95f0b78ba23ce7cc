internal import FuzzTargets
internal import Glibc

// libFuzzer's driver, given the target by name: rrcm-fuzz TARGET [LIBFUZZER ARGUMENTS] CORPUS…

/// libFuzzer's entry point, from its run-time library.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
  _ count: UnsafeMutablePointer<CInt>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
  _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

nonisolated(unsafe) private var chosen = FuzzTarget.safetensors

@main
enum Driver {
  static func main() {
    guard CommandLine.arguments.count > 1, let target = FuzzTarget(rawValue: CommandLine.arguments[1]) else {
      let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: ", ")
      print("usage: rrcm-fuzz TARGET [LIBFUZZER ARGUMENTS] CORPUS…   TARGET is one of \(names)")
      exit(64)
    }
    chosen = target
    // libFuzzer must not see the target's name, which it would take for a corpus.
    let words = CommandLine.arguments.enumerated().filter { $0.offset != 1 }.map { strdup($0.element) }
    let arguments = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: words.count + 1)
    for (place, word) in words.enumerated() { arguments[place] = word }
    arguments[words.count] = nil
    var count = CInt(words.count)
    var list = arguments
    exit(
      runDriver(&count, &list) { bytes, size in
        chosen.run(Array(UnsafeBufferPointer(start: bytes, count: size)))
        return 0
      })
  }
}
