-- name: insert_imported_run
-- Finds or makes the imported run of a name.
INSERT INTO rrcm.imported_run (name, source)
VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET source = imported_run.source
RETURNING import_id,
          source
