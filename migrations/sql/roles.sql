-- The four roles of a fleet and what each may do: the one place where grants and row rules are stated.
--
-- Applied by "rrcm roles apply", and again by "rrcm migrate up" wherever it was applied before; as often as you like. It
-- needs CREATEROLE (or that an administrator made the four roles) and the ownership of what is in the schema.
-- The roles belong to the whole server and cannot log in: give your logins to them (docs/deployment.md).
--
-- A worker is trusted with computing, not with the books: it claims, posts votes and trains, under its own login's
-- worker rows. Whatever a table or view does not name below, nobody but the owner may touch.
DO $roles$
DECLARE
  -- Table or view; what rrcm_worker may do; what rrcm_coordinator may do (coordinator, aggregator, people who submit);
  -- what rrcm_reader may do.
  grants text[][] := ARRAY[
    -- Work, where every worker writes.
    ['worker',       'SELECT, INSERT (name, host, pid, device, software, process_since), UPDATE (epoch, state, host, pid, device, software, numerics_ids, samples_per_second, process_since, registered_at, beat_at)', 'SELECT, UPDATE, DELETE', ''],
    ['item',         'SELECT, UPDATE (state, next_unit, numerics_id, error)', 'SELECT, INSERT, UPDATE, DELETE', ''],
    -- Taken and settled through claim_audit and post_audit, which look who asks.
    ['audit',        'SELECT', 'SELECT, INSERT, UPDATE', ''],
    ['audit_computation', 'SELECT', 'SELECT, INSERT', ''],
    ['canary_check', 'SELECT, UPDATE (logits_digest, answered_at)', 'SELECT, INSERT', ''],
    ['gap',          'SELECT, INSERT, UPDATE (lo, suspect), DELETE', 'SELECT, INSERT, UPDATE, DELETE', ''],
    ['lease',        'SELECT, INSERT, UPDATE (lo, hi, duplicate, deadline_at, renewed_at), DELETE', 'SELECT, UPDATE, DELETE', ''],
    -- Not when a vote was posted: what a worker set aside has posted since is voided by that.
    ['chunk_count',  'SELECT, INSERT (item_id, phase, chunk, samples, classes, votes, worker_id, compute_ms)', 'SELECT, DELETE', ''],
    ['disagreement', 'SELECT, INSERT', 'SELECT, UPDATE (audit_id)', ''],
    ['failed_attempt', 'SELECT, INSERT (run_id, item_id, unit, worker_id, epoch, outcome, error)', 'SELECT, INSERT, UPDATE', ''],
    ['event',        'SELECT, INSERT (kind, run_id, worker_id, detail)', 'SELECT, INSERT', ''],
    ['canary',       'SELECT', 'SELECT, DELETE', ''],
    ['job',          'SELECT, UPDATE (state, run_lease, attempts, worker_id, epoch, deadline_at, step, snapshot_digest, snapshot_step, checkpoint_digest, error, finished_at)', 'SELECT, INSERT, UPDATE', ''],
    ['metric',       'SELECT, INSERT, UPDATE (value, recorded_at)', 'SELECT', ''],
    -- A training ends through end_training, as its job has.
    ['run',          'SELECT, UPDATE (numerics_ids)', 'SELECT, INSERT, UPDATE, DELETE', ''],
    ['part',         '', 'SELECT, INSERT, UPDATE, DELETE', ''],
    ['leadership',   '', 'SELECT, UPDATE', ''],
    -- What runs are made of, and what comes out of them.
    ['certification',        'SELECT', 'SELECT, INSERT', ''],
    ['certification_sigma',  'SELECT', 'SELECT, INSERT', ''],
    ['certificate',          '', 'SELECT, INSERT, DELETE', ''],
    -- Workers must not know which chunks will be audited.
    ['audit_salt',             '', 'SELECT, INSERT', ''],
    ['certificate_superseded', '', 'SELECT, INSERT', ''],
    ['chunk_count_void',       '', 'SELECT, INSERT', ''],
    ['checkpoint',           'SELECT, INSERT', 'SELECT, INSERT, UPDATE (run_id)', ''],
    ['checkpoint_name',      'SELECT, INSERT, UPDATE (named_at)', 'SELECT, INSERT, UPDATE (named_at)', ''],
    ['dataset',              'SELECT', 'SELECT, INSERT', ''],
    ['dataset_image',        'SELECT', 'SELECT, INSERT', ''],
    ['imported_run',         '', 'SELECT, INSERT', ''],
    ['imported_log',         '', 'SELECT, INSERT', ''],
    ['imported_certificate', '', 'SELECT, INSERT', ''],
    ['sweep',                'SELECT', 'SELECT, INSERT, UPDATE', ''],
    ['trial',                '', 'SELECT, INSERT, UPDATE', ''],
    ['trial_run',            '', 'SELECT, INSERT', ''],
    -- How a program tells whether it knows the schema. The one table that readers see.
    ['schema_migration',     'SELECT', 'SELECT', 'SELECT'],
    -- Views.
    ['accuracy_at_radius',   '', 'SELECT', 'SELECT'],
    ['certificate_detail',   '', 'SELECT', 'SELECT'],
    ['certificate_pair',     '', 'SELECT', 'SELECT'],
    ['certificate_result',   '', 'SELECT', 'SELECT'],
    ['certification_level',    'SELECT', 'SELECT', 'SELECT'],
    ['certification_protocol', 'SELECT', 'SELECT', 'SELECT'],
    ['checkpoint_detail',    '', 'SELECT', 'SELECT'],
    ['image_cost',           '', 'SELECT', 'SELECT'],
    ['image_set',            '', 'SELECT', 'SELECT'],
    ['imported_level',       '', 'SELECT', 'SELECT'],
    ['part_health',          '', 'SELECT', 'SELECT'],
    ['queue_depth',          '', 'SELECT', 'SELECT'],
    ['ready_run',            'SELECT', 'SELECT', 'SELECT'],
    ['report_accuracy',      '', 'SELECT', 'SELECT'],
    ['report_envelope',      '', 'SELECT', 'SELECT'],
    ['report_histogram',     '', 'SELECT', 'SELECT'],
    ['report_interval',      '', 'SELECT', 'SELECT'],
    ['report_level',         '', 'SELECT', 'SELECT'],
    ['report_result',        '', 'SELECT', 'SELECT'],
    ['run_audit',            '', 'SELECT', 'SELECT'],
    ['run_detail',           '', 'SELECT', 'SELECT'],
    ['run_progress',         '', 'SELECT', 'SELECT'],
    ['samples_used',         '', 'SELECT', 'SELECT'],
    ['similar_run',          '', 'SELECT', 'SELECT'],
    ['stranded_item',        '', 'SELECT', 'SELECT'],
    ['sweep_progress',       '', 'SELECT', 'SELECT'],
    ['sweep_run',            '', 'SELECT', 'SELECT'],
    ['sweep_trial',          '', 'SELECT', 'SELECT'],
    ['trial_accuracy',       '', 'SELECT', 'SELECT'],
    ['work_attempt',         '', 'SELECT', 'SELECT'],
    ['worker_health',        '', 'SELECT', 'SELECT']
  ];
  -- Function; the roles that may call it. Trigger functions need no grant.
  functions text[][] := ARRAY[
    ['acts_for(name)',      ''],
    ['audit_draw(bytea,bigint,integer,integer)', 'rrcm_coordinator'],
    ['average_certified_radius(bigint,numeric)',            'rrcm_coordinator, rrcm_reader'],
    ['binomial_lower(integer,integer,double precision)',     'rrcm_coordinator, rrcm_reader'],
    ['binomial_tail(integer,integer,double precision)',      'rrcm_coordinator, rrcm_reader'],
    ['binomial_upper(integer,integer,double precision)',     'rrcm_coordinator, rrcm_reader'],
    ['certified_accuracy(bigint,numeric,double precision)', 'rrcm_coordinator, rrcm_reader'],
    ['claim_audit(bigint,bigint,integer,text,double precision,double precision,double precision)', 'rrcm_worker'],
    ['claim_tail(bigint,bigint,integer,text,integer,double precision,double precision,integer,double precision)', 'rrcm_worker'],
    ['delete_old_events(integer)', 'rrcm_coordinator'],
    ['end_training(bigint)', 'rrcm_worker'],
    ['end_voted_leases(bigint,bigint)', 'rrcm_worker'],
    ['false_certificates(integer,double precision,double precision)', 'rrcm_coordinator, rrcm_reader'],
    ['post_audit(bigint,bigint,integer,smallint[],integer[],double precision)', 'rrcm_worker'],
    ['record_canary(text,text,text,bigint)', 'rrcm_worker'],
    ['refuse_foreign_worker()', ''],
    ['refuse_update()',     ''],
    ['refuse_worker()',     ''],
    ['return_leases(bigint[])', 'rrcm_worker, rrcm_coordinator'],
    ['sweep_query(text)',   'rrcm_coordinator, rrcm_reader'],
    ['total(integer[])',    'rrcm_worker, rrcm_coordinator, rrcm_reader']
  ];
  -- Table; rows that a worker may add; rows that it may change or remove; how a changed row must look. $ stands for: the
  -- row's worker_id is a worker of this login, not in quarantine where rows are added or how they must look is meant. Workers
  -- see all rows, the coordinator has all rights that its grants name.
  rules text[][] := ARRAY[
    ['worker',       'login = session_user', 'login = session_user', 'login = session_user'],
    ['lease',        '$', '$', '$'],
    ['canary_check', 'false', '$', '$'],
    ['job',          'false', 'state = ''queued'' OR $', 'worker_id IS NULL OR $'],
    ['metric',       'EXISTS (SELECT FROM rrcm.job j JOIN rrcm.worker w USING (worker_id) WHERE j.run_id = metric.run_id AND w.login = session_user)', 'true',
                     'EXISTS (SELECT FROM rrcm.job j JOIN rrcm.worker w USING (worker_id) WHERE j.run_id = metric.run_id AND w.login = session_user)'],
    -- A worker records what its own job made, under the run's name: finish_job comes first in the transaction.
    ['checkpoint',   'EXISTS (SELECT FROM rrcm.job j WHERE j.run_id = checkpoint.run_id AND j.checkpoint_digest = checkpoint.checkpoint_digest)', 'false', 'false'],
    ['checkpoint_name', 'EXISTS (SELECT FROM rrcm.job j JOIN rrcm.run r USING (run_id) WHERE j.checkpoint_digest = checkpoint_name.checkpoint_digest AND r.name = checkpoint_name.name)', 'true', 'true']
  ];
  own CONSTANT text := 'EXISTS (SELECT FROM rrcm.worker w WHERE w.worker_id = %I.worker_id AND w.login = session_user)';
  able CONSTANT text := 'EXISTS (SELECT FROM rrcm.worker w WHERE w.worker_id = %I.worker_id AND w.login = session_user AND w.quarantined_at IS NULL)';
  role text;
  name text;
  line text[];
  missing text;
  object record;
BEGIN
  -- The roles.
  FOREACH role IN ARRAY ARRAY['rrcm_owner', 'rrcm_coordinator', 'rrcm_worker', 'rrcm_reader'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN', role);
      EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL;  -- another database of this server was faster
      END;
    END IF;
  END LOOP;
  IF NOT pg_has_role(current_user, 'rrcm_owner', 'USAGE') THEN
    EXECUTE format('GRANT rrcm_owner TO %I', current_user);
  END IF;

  -- Everything is stated, and nothing that is not there.
  SELECT string_agg(o.name, ', ' ORDER BY o.name)
    INTO missing
    FROM (
      SELECT c.relname::text AS name
        FROM pg_class c
       WHERE c.relnamespace = 'rrcm'::regnamespace
         AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
         AND c.relname NOT IN (SELECT grants[n][1] FROM generate_subscripts(grants, 1) AS n)
       UNION ALL
      -- A key's own sequence needs no grant; another one would.
      SELECT 'sequence ' || c.relname
        FROM pg_class c
       WHERE c.relnamespace = 'rrcm'::regnamespace
         AND c.relkind = 'S'
         AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'i' AND d.refobjsubid > 0)
       UNION ALL
      SELECT 'function ' || p.proname || '(' || oidvectortypes(p.proargtypes) || ')'
        FROM pg_proc p
       WHERE p.pronamespace = 'rrcm'::regnamespace
         AND p.proname || '(' || replace(oidvectortypes(p.proargtypes), ', ', ',') || ')'
             NOT IN (SELECT functions[n][1] FROM generate_subscripts(functions, 1) AS n)
    ) AS o;
  IF missing IS NOT NULL THEN
    RAISE EXCEPTION 'nobody has stated who may use %', missing USING HINT = 'state it in migrations/sql/roles.sql';
  END IF;

  -- One owner, who is nobody's login.
  IF (SELECT nspowner FROM pg_namespace WHERE nspname = 'rrcm') <> 'rrcm_owner'::regrole THEN
    ALTER SCHEMA rrcm OWNER TO rrcm_owner;
  END IF;
  IF has_database_privilege(current_user, current_database(), 'CREATE WITH GRANT OPTION') THEN
    EXECUTE format('GRANT CREATE ON DATABASE %I TO rrcm_owner', current_database());
  END IF;
  FOR object IN
    SELECT format('%s %s', CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END, c.oid::regclass) AS name
      FROM pg_class c
     WHERE c.relnamespace = 'rrcm'::regnamespace
       AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
       AND c.relowner <> 'rrcm_owner'::regrole
     UNION ALL
    SELECT format('FUNCTION %s', p.oid::regprocedure)
      FROM pg_proc p
     WHERE p.pronamespace = 'rrcm'::regnamespace
       AND p.proowner <> 'rrcm_owner'::regrole
     UNION ALL
    SELECT format('TYPE %s', t.oid::regtype)
      FROM pg_type t
     WHERE t.typnamespace = 'rrcm'::regnamespace
       AND t.typtype IN ('e', 'd')
       AND t.typowner <> 'rrcm_owner'::regrole
  LOOP
    EXECUTE format('ALTER %s OWNER TO rrcm_owner', object.name);
  END LOOP;

  -- Grants: what is stated and no more.
  REVOKE ALL ON SCHEMA rrcm FROM PUBLIC, rrcm_coordinator, rrcm_worker, rrcm_reader;
  GRANT USAGE ON SCHEMA rrcm TO rrcm_coordinator, rrcm_worker, rrcm_reader;
  REVOKE ALL ON ALL TABLES IN SCHEMA rrcm FROM PUBLIC, rrcm_coordinator, rrcm_worker, rrcm_reader;
  REVOKE ALL ON ALL SEQUENCES IN SCHEMA rrcm FROM PUBLIC, rrcm_coordinator, rrcm_worker, rrcm_reader;
  REVOKE ALL ON ALL FUNCTIONS IN SCHEMA rrcm FROM PUBLIC, rrcm_coordinator, rrcm_worker, rrcm_reader;
  FOREACH line SLICE 1 IN ARRAY grants LOOP
    FOR n IN 2..4 LOOP
      IF line[n] <> '' THEN
        EXECUTE format('GRANT %s ON rrcm.%I TO %s', line[n], line[1], (ARRAY['rrcm_worker', 'rrcm_coordinator', 'rrcm_reader'])[n - 1]);
      END IF;
    END LOOP;
  END LOOP;
  FOREACH line SLICE 1 IN ARRAY functions LOOP
    IF line[2] <> '' THEN
      EXECUTE format('GRANT EXECUTE ON FUNCTION rrcm.%s TO %s', line[1], line[2]);
    END IF;
  END LOOP;

  -- Row rules.
  FOR object IN SELECT tablename, policyname FROM pg_policies WHERE schemaname = 'rrcm' LOOP
    EXECUTE format('DROP POLICY %I ON rrcm.%I', object.policyname, object.tablename);
  END LOOP;
  FOREACH line SLICE 1 IN ARRAY rules LOOP
    FOR n IN 2..4 LOOP
      line[n] := replace(line[n], '$', format(CASE WHEN n = 3 THEN own ELSE able END, line[1]));
    END LOOP;
    EXECUTE format('ALTER TABLE rrcm.%I ENABLE ROW LEVEL SECURITY', line[1]);
    EXECUTE format('CREATE POLICY coordinator ON rrcm.%I TO rrcm_coordinator USING (true) WITH CHECK (true)', line[1]);
    EXECUTE format('CREATE POLICY worker_sees ON rrcm.%I FOR SELECT TO rrcm_worker USING (true)', line[1]);
    EXECUTE format('CREATE POLICY worker_adds ON rrcm.%I FOR INSERT TO rrcm_worker WITH CHECK (%s)', line[1], line[2]);
    EXECUTE format('CREATE POLICY worker_changes ON rrcm.%I FOR UPDATE TO rrcm_worker USING (%s) WITH CHECK (%s)', line[1], line[3], line[4]);
    EXECUTE format('CREATE POLICY worker_removes ON rrcm.%I FOR DELETE TO rrcm_worker USING (%s)', line[1], line[3]);
  END LOOP;

  -- Where rows are only ever added, a trigger on each costs less than a policy, which is planned with every statement.
  FOREACH name IN ARRAY ARRAY['chunk_count', 'disagreement', 'event', 'audit_computation', 'failed_attempt'] LOOP
    EXECUTE format(
      'CREATE OR REPLACE TRIGGER %I BEFORE INSERT ON rrcm.%I FOR EACH ROW EXECUTE FUNCTION rrcm.refuse_foreign_worker()',
      name || '_worker_rules', name);
  END LOOP;

  -- Items, runs and waiting jobs belong to no worker: which way a change goes decides. A worker moves an item on, gives it the
  -- numerics id it has not got, holds it; it gives a run its first numerics id, and takes a job under the next fence.
  CREATE OR REPLACE TRIGGER item_worker_rules
    BEFORE UPDATE ON rrcm.item
    FOR EACH ROW
    WHEN (
      new.next_unit < old.next_unit
      OR (old.numerics_id IS NOT NULL AND new.numerics_id IS DISTINCT FROM old.numerics_id)
      OR (
        new.state <> old.state
        AND NOT (old.state = 'open' AND new.state = 'claimed')
        AND NOT (old.state IN ('open', 'claimed', 'certified') AND new.state = 'held')
      )
    )
    EXECUTE FUNCTION rrcm.refuse_worker();
  CREATE OR REPLACE TRIGGER run_worker_rules
    BEFORE UPDATE ON rrcm.run
    FOR EACH ROW
    WHEN (
      (new.numerics_ids <> old.numerics_ids AND (old.numerics_ids <> '{}' OR cardinality(new.numerics_ids) <> 1))
      OR new.state <> old.state
    )
    EXECUTE FUNCTION rrcm.refuse_worker();
  CREATE OR REPLACE TRIGGER job_worker_rules
    BEFORE UPDATE ON rrcm.job
    FOR EACH ROW
    WHEN (
      CASE
        WHEN old.state = 'queued' THEN
          NOT (new.state = 'running' AND new.run_lease = old.run_lease + 1)
          OR (new.attempts, new.step, new.snapshot_digest, new.snapshot_step, new.checkpoint_digest, new.error)
             IS DISTINCT FROM (old.attempts, old.step, old.snapshot_digest, old.snapshot_step, old.checkpoint_digest, old.error)
        ELSE new.run_lease <> old.run_lease
      END
    )
    EXECUTE FUNCTION rrcm.refuse_worker();

  -- What metrics and the doctor want to see of other sessions: states and ages, no rows. Where the server's operator does
  -- not let us, those figures stay zero.
  BEGIN
    IF NOT pg_has_role('rrcm_coordinator', 'pg_read_all_stats', 'USAGE') THEN
      GRANT pg_read_all_stats TO rrcm_coordinator;
    END IF;
  EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'rrcm_coordinator will not see other sessions: an administrator may GRANT pg_read_all_stats TO rrcm_coordinator';
  END;

  -- Readers' sessions end by themselves. Settings of a group do not reach its members, so each login that is a reader and
  -- nothing more gets its own, unless it has one: ALTER ROLE … SET statement_timeout changes it.
  FOR object IN
    SELECT r.rolname
      FROM pg_roles r
     WHERE r.rolcanlogin
       AND NOT r.rolsuper
       AND pg_has_role(r.oid, 'rrcm_reader', 'MEMBER')
       AND NOT pg_has_role(r.oid, 'rrcm_coordinator', 'MEMBER')
       AND NOT pg_has_role(r.oid, 'rrcm_worker', 'MEMBER')
       AND NOT pg_has_role(r.oid, 'rrcm_owner', 'MEMBER')
       AND NOT EXISTS (
             SELECT
               FROM pg_db_role_setting s
              WHERE s.setrole = r.oid
                AND array_to_string(s.setconfig, ',') LIKE '%statement_timeout=%'
           )
  LOOP
    BEGIN
      EXECUTE format('ALTER ROLE %I SET statement_timeout = ''60s''', object.rolname);
      EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = ''60s''', object.rolname);
    EXCEPTION WHEN insufficient_privilege THEN
      RAISE NOTICE 'reader % has no time limit: ALTER ROLE % SET statement_timeout = ''60s''', object.rolname, object.rolname;
    END;
  END LOOP;
END
$roles$;
