DROP VIEW rrcm.report_envelope;
DROP VIEW rrcm.report_interval;
DROP FUNCTION rrcm.false_certificates(int, double precision, double precision);
DROP FUNCTION rrcm.binomial_upper(int, int, double precision);
DROP FUNCTION rrcm.binomial_lower(int, int, double precision);
DROP FUNCTION rrcm.binomial_tail(int, int, double precision);
