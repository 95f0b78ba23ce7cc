-- Ties worker rows to the logins that registered them. What follows from it (roles, grants, row rules) is cluster-wide
-- and needs rights that not every owner of a database has: it is applied by "rrcm roles apply", not by migrations.

ALTER TABLE rrcm.worker ADD COLUMN login name NOT NULL DEFAULT session_user;
COMMENT ON COLUMN rrcm.worker.login IS
  'Login that registered it. Under the role rrcm_worker a login changes its own workers'' rows, leases and jobs only';

CREATE FUNCTION rrcm.refuse_worker() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
  IF pg_has_role(current_user, 'rrcm_coordinator', 'USAGE') OR pg_has_role(current_user, 'rrcm_owner', 'USAGE') THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'a worker may not change a row of % in this way', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
COMMENT ON FUNCTION rrcm.refuse_worker() IS
  'Refuses changes that only coordinator and owner may make. "rrcm roles apply" makes its triggers, whose conditions name the changes';

CREATE FUNCTION rrcm.refuse_foreign_worker() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
  IF EXISTS (SELECT FROM rrcm.worker w WHERE w.worker_id = new.worker_id AND w.login = session_user)
     OR pg_has_role(current_user, 'rrcm_coordinator', 'USAGE') OR pg_has_role(current_user, 'rrcm_owner', 'USAGE') THEN
    RETURN new;
  END IF;
  RAISE EXCEPTION 'login % may not add a row of % in the name of worker %', session_user, TG_TABLE_NAME, new.worker_id
    USING ERRCODE = 'insufficient_privilege';
END
$$;
COMMENT ON FUNCTION rrcm.refuse_foreign_worker() IS
  'Refuses rows in the name of another login''s worker, where rows are only ever added. "rrcm roles apply" makes its triggers: they cost less than row-level security with every vote';

-- Readers may not see the tables it looks at, only what it makes of them.
ALTER FUNCTION rrcm.sweep_query(text) SECURITY DEFINER SET search_path = pg_catalog, pg_temp;

-- What a report needs beside results, as views: readers see no tables.

CREATE VIEW rrcm.run_detail AS
SELECT run_id,
       name,
       kind,
       state,
       priority,
       spec,
       seed,
       dataset_digest,
       checkpoint_digest,
       depends_on,
       image_indices,
       numerics_ids,
       software,
       error,
       created_at,
       started_at,
       finished_at
  FROM rrcm.run;
COMMENT ON VIEW rrcm.run_detail IS 'Runs, each with its resolved run file';

CREATE VIEW rrcm.certification_protocol AS
SELECT run_id,
       mode,
       n0,
       n,
       alpha,
       sampler,
       chunk_samples
  FROM rrcm.certification;
COMMENT ON VIEW rrcm.certification_protocol IS 'The protocol of each certification, fixed when it is submitted';

CREATE VIEW rrcm.certification_level AS
SELECT run_id,
       sigma,
       grid_m,
       slack,
       table_digest
  FROM rrcm.certification_sigma;
COMMENT ON VIEW rrcm.certification_level IS 'The noise levels of each certification';

CREATE VIEW rrcm.image_set AS
SELECT dataset_digest,
       name,
       channels,
       height,
       width,
       classes,
       image_count,
       source,
       imported_at
  FROM rrcm.dataset;
COMMENT ON VIEW rrcm.image_set IS 'Image sets by digest';

CREATE VIEW rrcm.checkpoint_detail AS
SELECT c.checkpoint_digest,
       (SELECT n.name
          FROM rrcm.checkpoint_name n
         WHERE n.checkpoint_digest = c.checkpoint_digest
         ORDER BY n.named_at DESC, n.name
         LIMIT 1) AS name,
       c.kind,
       c.configuration,
       c.run_id,
       c.source,
       c.created_at
  FROM rrcm.checkpoint c;
COMMENT ON VIEW rrcm.checkpoint_detail IS 'Checkpoints by digest';
COMMENT ON COLUMN rrcm.checkpoint_detail.name IS 'The name that it got last';

CREATE VIEW rrcm.imported_level AS
SELECT r.import_id,
       r.name,
       r.source,
       l.sigma,
       l.n,
       l.alpha,
       l.row_count,
       l.has_indices,
       l.has_full_radii,
       l.files,
       l.file_digests,
       l.notes,
       l.imported_at
  FROM rrcm.imported_run r
  JOIN rrcm.imported_log l USING (import_id);
COMMENT ON VIEW rrcm.imported_level IS 'Imported logs: one row per noise level';
COMMENT ON COLUMN rrcm.imported_level.name IS 'What reports call it';
COMMENT ON COLUMN rrcm.imported_level.source IS 'Where it comes from, in words: repository, paper, machine';

-- Their columns mean what those of the tables mean.
DO $$
DECLARE
  line record;
BEGIN
  FOR line IN
    SELECT pair.view, a.attname AS name, col_description(t.attrelid, t.attnum) AS text
      FROM (VALUES ('run_detail', 'run'), ('certification_protocol', 'certification'),
                   ('certification_level', 'certification_sigma'), ('image_set', 'dataset'),
                   ('checkpoint_detail', 'checkpoint'), ('imported_level', 'imported_log')) AS pair (view, source)
      JOIN pg_attribute a ON a.attrelid = ('rrcm.' || pair.view)::regclass AND a.attnum > 0
      JOIN pg_attribute t ON t.attrelid = ('rrcm.' || pair.source)::regclass AND t.attname = a.attname
  LOOP
    EXECUTE format('COMMENT ON COLUMN rrcm.%I.%I IS %L', line.view, line.name, line.text);
  END LOOP;
END
$$;
