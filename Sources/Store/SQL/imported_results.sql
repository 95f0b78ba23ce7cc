-- name: imported_results
SELECT sigma::text AS sigma,
       image_index,
       label,
       predicted,
       radius,
       n_a,
       seconds
  FROM rrcm.report_result
 WHERE origin = 'imported'
   AND origin_id = $1
 ORDER BY report_result.sigma, image_index
