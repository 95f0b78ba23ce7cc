-- name: find_imported_run
SELECT DISTINCT import_id,
       name,
       source
  FROM rrcm.imported_level
 WHERE name = $1
