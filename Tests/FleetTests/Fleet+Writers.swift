import Database
import Store

// Who writes what: for tests that a stale part writes nothing.
extension Fleet {
  /// Notes every row written to these tables from now on, with the name that the writing part was started under.
  func noteWriters(_ tables: String...) async throws {
    try await store.connection.script(
      """
      CREATE TABLE public.written (what text, who text, at timestamptz DEFAULT clock_timestamp());
      GRANT INSERT ON public.written TO PUBLIC;
      CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        INSERT INTO public.written (what, who)
        VALUES (TG_TABLE_NAME || ' ' || TG_OP, current_setting('rrcm_test.who', true));
        RETURN NULL;
      END $$;
      """
        + tables.map {
          "CREATE TRIGGER noted AFTER INSERT OR UPDATE OR DELETE ON rrcm.\($0) FOR EACH ROW EXECUTE FUNCTION public.note();"
        }.joined())
  }

  /// Environment that makes a part's sessions say its name.
  static func signing(_ name: String) -> [String: String] { ["PGOPTIONS": "-c rrcm_test.who=\(name)"] }

  /// Rows that the part of this name has written to the noted tables.
  func written(by name: String) async throws -> Int64 {
    try await number("SELECT count(*) FROM public.written WHERE who = '\(name)'")
  }
}
