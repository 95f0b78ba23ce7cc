-- name: certification_sigmas
SELECT sigma::text AS sigma,
       grid_m,
       slack,
       table_digest
  FROM rrcm.certification_level
 WHERE run_id = $1
 ORDER BY certification_level.sigma
