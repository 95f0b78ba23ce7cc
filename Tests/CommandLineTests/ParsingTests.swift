import ArgumentParser
import Testing

@testable import CommandLine

@Suite("Command lines") struct ParsingTests {
  @Test(
    "wrong usage is refused before anything is done, naming what is wrong",
    arguments: [
      ("fly", "fly"),
      ("run fly", "fly"),
      ("run submit", "<files>"),
      ("run show", "<run>"),
      ("run show 3 4", "4"),
      ("run list --output xml", "xml"),
      ("export certificates 3 --output table", "table"),
      ("run cancel", "name the runs to cancel, or give --all"),
      ("run cancel 3 --all", "give runs or --all, not both"),
      ("run show 3 --spec --metrics", "--spec, --metrics and --attempts exclude each other"),
      ("item show 3", "<image>"),
      ("item show 3 first", "first"),
      ("item show 3 4 --votes --chunks", "--votes, --chunks and --attempts exclude each other"),
      ("item list 3 --state broken", "broken"),
      ("worker drain", "name the workers to drain, or give --host or --all"),
      ("worker drain a --all", "--all stands alone"),
      ("completions tcsh", "tcsh"),
      ("dataset import mnist x", "mnist"),
      ("dataset import imagefolder x", "--size is missing; give the image side"),
      ("checkpoint import x --heads many", "many"),
      ("radius --hits many", "many"),
      ("up --workers 1000", "--workers is 1000; it must be 0 to 256"),
      ("up --threads 0", "--threads is 0; it must be 1 to 1024"),
      ("down --timeout=-1", "--timeout is -1; it must be 0 to 86400 seconds"),
      ("worker start --threads 0", "--threads is 0; it must be 1 to 1024"),
      ("worker start --batch 0", "--batch is 0; it must be 1 to 65536"),
      ("worker start --lease-chunks 0", "--lease-chunks is 0; it must be 1 to 1000000"),
      ("worker start --snapshot-seconds inf", "--snapshot-seconds is inf; it must be above 0"),
      ("worker start --kinds certify,paint", "--kinds is certify,paint; it must be some of"),
      ("worker start --kinds ,", "--kinds is ,; it must be some of"),
      ("coordinator start --beat-seconds 20", "the second at least twice the first"),
      ("coordinator start --beat-seconds inf --dead-seconds inf", "at most a day"),
      ("aggregator start --rescue-seconds 0", "--rescue-seconds 0.0: all must be above 0"),
      ("worker start --connect-seconds 0", "--connect-seconds is 0.0; it must be above 0"),
      ("plan a.yaml --samples-per-second 0", "--samples-per-second is 0.0; it must be above 0"),
      ("plan a.yaml --samples-per-second 9 --calibrate", "exclude each other"),
      ("plan a.yaml --images 0", "--images is 0; it must be 1 to"),
      ("plan a.yaml --image-shape 3x32", "--image-shape is 3x32; write channels, height and width"),
      ("plan a.yaml --images 9 --calibrate", "leave --images out"),
      ("plan a.yaml --workers 0", "--workers is 0; it must be 1 to 1000000"),
      ("doctor --least-free-gib=-1", "--least-free-gib is -1.0; it must be 0 or more"),
      ("doctor --long-seconds 0", "--long-seconds is 0.0; it must be above 0"),
      ("aggregator start --log-level loud", "--log-level is loud; it must be one of trace,"),
      ("aggregator start --log-format xml", "--log-format is xml; it must be text or json"),
      ("report", "<runs>"), ("report 1 --format pdf", "pdf"), ("report 1 --pictures=-1", "--pictures is -1"),
      ("report 1 --radii 1,x", "--radii is 1,x; write up to 100 decimals"),
      ("report 1 --published", "--published goes with --format markdown or latex"),
      ("import cohen --name x", "<files>"), ("import cohen a", "--name"),
      ("export certificates 3 --columns all", "all"),
      ("aggregator start --metrics here", "the metrics address is here; write HOST:PORT or PORT"),
    ])
  func usage(line: String, message: String) {
    let error = #expect(throws: (any Error).self) { try RRCM.parseAsRoot(line.split(separator: " ").map(String.init)) }
    guard let error else { return }
    #expect(RRCM.exitCode(for: error) == .validationFailure)
    #expect(RRCM.fullMessage(for: error).contains(message), "\(RRCM.fullMessage(for: error))")
  }

  @Test(
    "what the help shows can be typed",
    arguments: [
      "up --workers 4", "down --keep-database", "status --output json",
      "run submit a.yaml b.yaml --set smoothing.n=1000 --set name=x --dry-run --show-resolved --watch",
      "sweep create a.yaml --set name=x --dry-run --watch --output json", "sweep list --output csv",
      "sweep show 3 --runs", "sweep show x --spec", "sweep watch x", "sweep stop 3 --dry-run",
      "sweep retry x --stopped --dry-run", "run list --output csv", "run show 3 --spec", "run watch name",
      "run cancel 3 --dry-run",
      "dataset import digits digits.csv.gz", "dataset import imagefolder a.tar.gz --name c --size 32 --split test",
      "checkpoint import a.pt --name b --heads 12 --final-norm false --levels 81", "checkpoint show b --tensors",
      "worker start --name a --threads 4 --kinds certify --stop-when-idle",
      "coordinator start --metrics 127.0.0.1:9464 --log-format json", "aggregator start --metrics 9465",
      "migrate up --dry-run", "migrate sql", "export certificates 3 --output csv", "report 3 --html a.html --items",
      "report a b imported:c --format markdown --out r.md --radii 0,0.5", "report a --published --out t.tex",
      "import cohen a.txt b.txt --name c --sigma 0.25 --sigma 0.50 --n 100000 --alpha 0.01 --dry-run",
      "export certificates 3 --columns rrcm --sigma 0.25 --time seconds",
      "radius --hits -1 --draws 10 --sigma -0.5 --alpha 1e-3", "verify golden a --threads 2",
    ])
  func examples(line: String) throws {
    _ = try RRCM.parseAsRoot(line.split(separator: " ").map(String.init))
  }
}
