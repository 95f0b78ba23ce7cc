-- Takes back what "rrcm roles apply" made in this database and rests on the column; the roles themselves stay.
DROP VIEW rrcm.run_detail, rrcm.certification_protocol, rrcm.certification_level, rrcm.image_set, rrcm.checkpoint_detail,
  rrcm.imported_level;
DO $$
DECLARE
  rule record;
BEGIN
  FOR rule IN SELECT tablename, policyname FROM pg_policies WHERE schemaname = 'rrcm' LOOP
    EXECUTE format('DROP POLICY %I ON rrcm.%I', rule.policyname, rule.tablename);
    EXECUTE format('ALTER TABLE rrcm.%I DISABLE ROW LEVEL SECURITY', rule.tablename);
  END LOOP;
END
$$;
DROP TRIGGER IF EXISTS item_worker_rules ON rrcm.item;
DROP TRIGGER IF EXISTS run_worker_rules ON rrcm.run;
DROP TRIGGER IF EXISTS chunk_count_worker_rules ON rrcm.chunk_count;
DROP TRIGGER IF EXISTS disagreement_worker_rules ON rrcm.disagreement;
DROP TRIGGER IF EXISTS event_worker_rules ON rrcm.event;
DROP FUNCTION rrcm.refuse_worker();
DROP FUNCTION rrcm.refuse_foreign_worker();
ALTER FUNCTION rrcm.sweep_query(text) SECURITY INVOKER RESET search_path;
ALTER TABLE rrcm.worker DROP COLUMN login;
