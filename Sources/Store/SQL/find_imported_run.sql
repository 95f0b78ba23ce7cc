-- name: find_imported_run
SELECT import_id,
       name,
       source
  FROM rrcm.imported_run
 WHERE name = $1
