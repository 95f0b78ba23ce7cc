-- name: parts
SELECT kind::text AS kind,
       host,
       pid,
       term,
       leads,
       silent_seconds
  FROM rrcm.part_health
 ORDER BY kind, part_id
