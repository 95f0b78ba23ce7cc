-- name: results
SELECT image_index,
       source,
       sigma::text AS sigma,
       label,
       state::text AS state,
       mode,
       top_class,
       predicted,
       radius,
       abstained,
       correct,
       n_a,
       n0,
       n,
       alpha,
       slack,
       p_lower,
       numerics_id,
       compute_seconds
  FROM rrcm.certificate_result
 WHERE run_id = $1
 ORDER BY certificate_result.sigma, image_index
