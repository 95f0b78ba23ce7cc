import Foundation
import LocalFleet
import TestSupport
import Testing

@Suite("Processes on this machine")
struct LocalProcessesTests {
  private let shell = "/bin/sh"

  @Test("a process starts once, in a session of its own, logs to its file, and drains on SIGTERM")
  func lifeCycle() async throws {
    try await withTemporaryFolder { home async throws in
      let processes = LocalProcesses(home: home)
      let script = """
        trap 'echo draining; exit 0' TERM
        echo "hello $WHO" >&2
        while :; do sleep 0.05; done
        """
      let first = try await processes.start(
        "worker-1", arguments: ["-c", script], environment: ["WHO": "there", "PATH": "/usr/bin:/bin"], executable: shell
      )
      #expect(first.isNew)
      let again = try await processes.start("worker-1", arguments: ["-c", "exit 1"], executable: shell)
      #expect(again == (first.pid, false))
      #expect(getsid(first.pid) == first.pid)
      let log = processes.logFile("worker-1")
      let status = await processes.status()
      #expect(status.map(\.name) == ["worker-1"])
      #expect(status.map(\.pid) == [first.pid])
      #expect(status.map(\.logFile) == [log])

      #expect(try await processes.stop("worker-1"))
      #expect(try await processes.stop("worker-1") == false)
      #expect(kill(first.pid, 0) != 0)
      #expect(await processes.status().isEmpty)
      #expect(try String(contentsOfFile: log, encoding: .utf8) == "hello there\ndraining\n")
    }
  }

  @Test("a process that ignores SIGTERM is killed after the timeout, its helpers with it")
  func killed() async throws {
    try await withTemporaryFolder { home async throws in
      let processes = LocalProcesses(home: home)
      let script = "trap '' TERM; sleep 60 & echo $!; while :; do sleep 1; done"
      let pid = try await processes.start("stubborn", arguments: ["-c", script], executable: shell).pid
      #expect(try await processes.stop("stubborn", timeout: .milliseconds(300)) == false)
      let helper = try #require(
        Int32(
          String(contentsOfFile: processes.logFile("stubborn"), encoding: .utf8).trimmingCharacters(in: .newlines)))
      // Killed helpers may stay zombies until their new parent waits for them, and a busy machine may take its time.
      func isGone(_ process: Int32) -> Bool {
        let state = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
        return state == nil || state!.contains(") Z ")
      }
      for process in [pid, helper] {
        for _ in 0..<100 where !isGone(process) { try await Task.sleep(for: .milliseconds(50)) }
        #expect(isGone(process))
      }
    }
  }

  @Test("a process that dies at once is reported with the end of its log")
  func earlyDeath() async throws {
    try await withTemporaryFolder { home async throws in
      let processes = LocalProcesses(home: home)
      var error = await #expect(throws: LocalError.self) {
        try await processes.start(
          "coordinator", arguments: ["-c", "echo the reason; exit 3"], executable: shell, settle: .seconds(10))
      }
      #expect(error?.code == "start_failed")
      #expect(error?.message.hasSuffix("the reason") == true)
      #expect(await processes.status().isEmpty)
      error = await #expect(throws: LocalError.self) {
        try await processes.start("coordinator", arguments: [], executable: "/nowhere/rrcm")
      }
      #expect(error?.code == "spawn_failed")
    }
  }

  @Test("one that ended by itself is shown as ended, and can be started again")
  func endedByItself() async throws {
    try await withTemporaryFolder { home async throws in
      let processes = LocalProcesses(home: home)
      let pid = try await processes.start("aggregator", arguments: ["60"], executable: "/usr/bin/sleep").pid
      kill(pid, SIGKILL)
      for _ in 0..<500 where await processes.status().first?.pid != nil { try await Task.sleep(for: .milliseconds(10)) }
      #expect(await processes.status().first?.pid == nil)
      #expect(await processes.status().first?.name == "aggregator")
      let next = try await processes.start("aggregator", arguments: ["60"], executable: "/usr/bin/sleep")
      #expect(next.isNew && next.pid != pid)
      try await processes.stop("aggregator")
    }
  }

  @Test(
    "a pid that the system gave to another process, or that is from before a reboot, is never signalled",
    arguments: [true, false])
  func recycledPid(_ otherStart: Bool) async throws {
    try await withTemporaryFolder { home async throws in
      let processes = LocalProcesses(home: home)
      let pid = try await processes.start("bystander", arguments: ["60"], executable: "/usr/bin/sleep").pid
      let words = try String(contentsOfFile: "\(home)/run/bystander.pid", encoding: .utf8).split(separator: " ")
      let forged = otherStart ? "\(pid) \(UInt64(words[1])! - 1) \(words[2])" : "\(pid) \(words[1]) another-boot\n"
      try forged.write(toFile: "\(home)/run/worker-1.pid", atomically: true, encoding: .utf8)
      #expect(await processes.status().first { $0.name == "worker-1" }?.pid == nil)
      #expect(try await processes.stop("worker-1") == false)
      #expect(kill(pid, 0) == 0)
      #expect(try await processes.stop("bystander"))
    }
  }

  @Test("names that could leave the folder are refused", arguments: ["", "../x", "a/b", "Worker", "a b", "-x", "é"])
  func names(_ name: String) async throws {
    let processes = LocalProcesses(home: "/nowhere")
    let error = await #expect(throws: LocalError.self) { try await processes.start(name, arguments: []) }
    #expect(error?.code == "bad_name")
    await #expect(throws: LocalError.self) { try await processes.stop(name) }
  }

  @Test("none of our open files or ignored signals reach the process")
  func cleanInheritance() async throws {
    try await withTemporaryFolder { home async throws in
      let processes = LocalProcesses(home: home)
      let leaky = open("/dev/null", O_RDONLY)
      defer { close(leaky) }
      let before = signal(SIGUSR2, SIG_IGN)
      defer { signal(SIGUSR2, before) }
      let script = "ls /proc/self/fd | tr '\\n' ' '; readlink /proc/$$/fd/0; grep SigIgn /proc/$$/status; sleep 60"
      try await processes.start("clean", arguments: ["-c", script], executable: shell, settle: .milliseconds(500))
      let text = try String(contentsOfFile: processes.logFile("clean"), encoding: .utf8)
      let lines = text.split(separator: "\n")
      // 0, 1, 2 and the listing's own folder.
      #expect(lines.first == "0 1 2 3 /dev/null")
      // Signals 1 to 31: the two above are the C library's own.
      let ignored = try #require(lines.last?.split(separator: "\t").last.flatMap { UInt64($0, radix: 16) })
      #expect(ignored & 0x7fff_ffff == 0)
      try await processes.stop("clean")
    }
  }
}
