import CommandLine

@main
enum Main {
  static func main() async { await RRCM.main() }
}
