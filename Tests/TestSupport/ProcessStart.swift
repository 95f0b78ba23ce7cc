package import Foundation

extension Process {
  /// Starts it with its streams in files and no signal blocked.
  ///
  /// Foundation by itself hands on the test's own streams (the test run then ends only after a forgotten child), the
  /// signals that its threads block (a child that does not unblock them survives SIGTERM), and never closes a handle
  /// that was given to a process.
  ///
  /// - Parameters:
  ///   - input: path of a file to read; nil gives it nothing.
  ///   - output: path of a file for standard output, made or added to; nil drops it.
  ///   - errors: the same for standard error; may be the same path.
  package func start(input: String? = nil, output: String? = nil, errors: String? = nil) throws {
    var handles: [FileHandle] = []
    defer { for handle in handles { try? handle.close() } }
    func handle(_ path: String?, _ flags: Int32 = O_WRONLY | O_CREAT | O_APPEND) throws -> FileHandle {
      guard let path else { return .nullDevice }
      let descriptor = open(path, flags | O_CLOEXEC, 0o644)
      guard descriptor >= 0 else { throw CocoaError(.fileNoSuchFile, userInfo: [NSFilePathErrorKey: path]) }
      handles.append(FileHandle(fileDescriptor: descriptor, closeOnDealloc: false))
      return handles.last!
    }
    standardInput = try handle(input, O_RDONLY)
    standardOutput = try handle(output)
    standardError = try handle(errors)
    var (none, before) = (sigset_t(), sigset_t())
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    try run()
  }
}
