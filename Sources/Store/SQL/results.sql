-- name: results
SELECT r.image_index,
       r.source,
       r.sigma::text AS sigma,
       r.label,
       r.state::text AS state,
       r.mode,
       r.top_class,
       r.predicted,
       r.radius,
       r.abstained,
       r.correct,
       r.n_a,
       r.n0,
       r.n,
       r.alpha,
       r.slack,
       r.p_lower,
       r.numerics_id,
       r.compute_seconds,
       c.stopped_at_unit,
       c.targets_reached::text[] AS targets_reached,
       c.runner_up_votes,
       c.p_upper,
       c.p_value
  FROM rrcm.certificate_result r
  LEFT JOIN rrcm.certificate_detail c USING (item_id)
 WHERE r.run_id = $1
 ORDER BY r.sigma, r.image_index
