-- 0008 aggregates: intervals over images, what holds for all certificates together, and envelopes over noise levels.
--
-- These are statistics of finished certificates, in double precision (errors near 1e-12); certificates themselves are
-- computed by the program, with proven rounding. Readings at another alpha, for all images at once or at each image's
-- best sigma, need new bounds from the votes: rrcm recertify.

CREATE FUNCTION rrcm.binomial_tail(hits int, draws int, p double precision) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $$
DECLARE
  log_term double precision := 0;
  total    double precision := 1;
  term     double precision := 1;
  i        int;
BEGIN
  IF hits <= 0 THEN RETURN 1; END IF;
  IF hits > draws OR p <= 0 THEN RETURN 0; END IF;
  IF p >= 1 THEN RETURN 1; END IF;
  -- ln C(draws, hits) p^hits (1 - p)^(draws - hits), then the terms above it relative to it.
  FOR i IN 1..least(hits, draws - hits) LOOP
    log_term := log_term + ln((draws - least(hits, draws - hits) + i)::double precision / i);
  END LOOP;
  log_term := log_term + hits * ln(p) + (draws - hits) * ln(1 - p);
  FOR i IN hits..draws - 1 LOOP
    term := term * (draws - i) * (p / (1 - p)) / (i + 1);
    total := total + term;
    EXIT WHEN term < 1e-18 * total AND (draws - i) * p < (i + 1) * (1 - p);
  END LOOP;
  log_term := log_term + ln(total);
  RETURN CASE WHEN log_term < -700 THEN 0 ELSE least(exp(log_term), 1) END;
END
$$;
COMMENT ON FUNCTION rrcm.binomial_tail IS 'P(Bin(draws, p) >= hits), summed term by term';

CREATE FUNCTION rrcm.binomial_lower(hits int, draws int, alpha double precision) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $$
DECLARE
  low  double precision := 0;
  high double precision := hits::double precision / nullif(draws, 0);
  mid  double precision;
BEGIN
  IF draws <= 0 OR hits <= 0 THEN RETURN 0; END IF;
  IF hits >= draws THEN RETURN power(alpha, 1.0 / draws); END IF;
  -- At p = hits/draws the tail is near one half and more than alpha; it rises with p.
  WHILE high - low > 1e-12 * high LOOP
    mid := (low + high) / 2;
    IF rrcm.binomial_tail(hits, draws, mid) <= alpha THEN low := mid; ELSE high := mid; END IF;
  END LOOP;
  RETURN low;
END
$$;
COMMENT ON FUNCTION rrcm.binomial_lower IS
  'One-sided Clopper-Pearson lower bound on a share, hits of draws, at failure probability alpha up to 0.4; for statistics over images';

CREATE FUNCTION rrcm.binomial_upper(hits int, draws int, alpha double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN 1 - rrcm.binomial_lower(draws - hits, draws, alpha);
COMMENT ON FUNCTION rrcm.binomial_upper IS 'One-sided Clopper-Pearson upper bound; the mirror image of binomial_lower';

CREATE FUNCTION rrcm.false_certificates(images int, alpha double precision, rho double precision) RETURNS int
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $$
DECLARE
  below  int := floor(images * alpha)::int - 1;
  enough int := images;
  mid    int;
BEGIN
  IF images <= 0 THEN RETURN 0; END IF;
  WHILE enough - below > 1 LOOP
    mid := (below + enough) / 2;
    IF mid >= 0 AND rrcm.binomial_tail(mid + 1, images, alpha) <= rho THEN enough := mid; ELSE below := mid; END IF;
  END LOOP;
  RETURN enough;
END
$$;
COMMENT ON FUNCTION rrcm.false_certificates IS
  'The smallest c with P(Bin(images, alpha) > c) <= rho: at most so many of the certificates are false, with probability 1 - rho';

CREATE VIEW rrcm.report_interval AS
SELECT a.origin,
       a.origin_id,
       a.name,
       a.sigma,
       a.r,
       a.images,
       a.certified,
       a.accuracy_low,
       a.accuracy_high,
       rrcm.binomial_lower(a.certified::int, a.images, 0.025) AS interval_low,
       rrcm.binomial_upper((a.certified + a.images - a.finished)::int, a.images, 0.025) AS interval_high,
       l.false_certificates,
       greatest(a.certified - l.false_certificates, 0)::double precision / a.images AS certain_low
  FROM rrcm.report_accuracy a
  JOIN (
    SELECT origin,
           origin_id,
           sigma,
           rrcm.false_certificates(images, alpha, 0.001) AS false_certificates
      FROM rrcm.report_level
  ) AS l USING (origin, origin_id, sigma);
COMMENT ON VIEW rrcm.report_interval IS
  'Certified accuracy with its exact binomial 95 % interval over images, and what holds for all certificates of a sigma at once';
COMMENT ON COLUMN rrcm.report_interval.origin IS 'fleet: computed here, recomputable; imported: read from a log';
COMMENT ON COLUMN rrcm.report_interval.origin_id IS 'run_id of an own run, import_id of an imported one; unique with origin only';
COMMENT ON COLUMN rrcm.report_interval.name IS 'Name of the run';
COMMENT ON COLUMN rrcm.report_interval.sigma IS 'Noise level';
COMMENT ON COLUMN rrcm.report_interval.r IS 'L2 radius';
COMMENT ON COLUMN rrcm.report_interval.images IS 'Images of the run, or rows of the log: the denominator';
COMMENT ON COLUMN rrcm.report_interval.certified IS 'Those correct and certified at r or more';
COMMENT ON COLUMN rrcm.report_interval.accuracy_low IS 'Share of all images, unfinished counted wrong';
COMMENT ON COLUMN rrcm.report_interval.accuracy_high IS 'Share of all images, unfinished counted right';
COMMENT ON COLUMN rrcm.report_interval.interval_low IS
  'Lower end of the two-sided 95 % interval for the share among all images of which these are a random sample';
COMMENT ON COLUMN rrcm.report_interval.interval_high IS 'Its upper end, unfinished images counted right';
COMMENT ON COLUMN rrcm.report_interval.false_certificates IS
  'With probability 0.999 over the noise at most so many of the sigma''s certificates are false (exact binomial tail)';
COMMENT ON COLUMN rrcm.report_interval.certain_low IS
  'accuracy_low less that many images: with probability 0.999 over the noise no more than the share truly robust at r';

CREATE VIEW rrcm.report_envelope AS
SELECT DISTINCT ON (a.origin, a.origin_id, a.r)
       a.origin,
       a.origin_id,
       a.name,
       a.r,
       a.sigma,
       a.accuracy_low,
       a.accuracy_high,
       clean.accuracy_low AS clean_accuracy,
       clean.levels AS chosen_among
  FROM rrcm.report_accuracy a
  JOIN (
    SELECT origin,
           origin_id,
           sigma,
           accuracy_low,
           count(*) OVER (PARTITION BY origin, origin_id) AS levels
      FROM rrcm.report_accuracy
     WHERE r = 0
  ) AS clean USING (origin, origin_id, sigma)
 ORDER BY a.origin, a.origin_id, a.r, a.accuracy_low DESC, a.sigma;
COMMENT ON VIEW rrcm.report_envelope IS
  'SELECTION ON THE TEST SET: at each radius the best noise level of a run, the smallest on ties; not the result of one classifier';
COMMENT ON COLUMN rrcm.report_envelope.origin IS 'fleet: computed here, recomputable; imported: read from a log';
COMMENT ON COLUMN rrcm.report_envelope.origin_id IS 'run_id of an own run, import_id of an imported one; unique with origin only';
COMMENT ON COLUMN rrcm.report_envelope.name IS 'Name of the run';
COMMENT ON COLUMN rrcm.report_envelope.r IS 'L2 radius';
COMMENT ON COLUMN rrcm.report_envelope.sigma IS 'The noise level that is best at this radius on these images';
COMMENT ON COLUMN rrcm.report_envelope.accuracy_low IS 'Its certified accuracy, unfinished counted wrong: what it was chosen by';
COMMENT ON COLUMN rrcm.report_envelope.accuracy_high IS 'The same, unfinished counted right';
COMMENT ON COLUMN rrcm.report_envelope.clean_accuracy IS 'That level''s certified accuracy at radius 0';
COMMENT ON COLUMN rrcm.report_envelope.chosen_among IS 'Noise levels of the run among which it was chosen';
