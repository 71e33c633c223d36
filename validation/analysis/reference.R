# Reference numbers of the statistics in seedbed.analysis, from R.
# Run from this folder: Rscript reference.R ../../tests/reference/analysis/data
# Writes the data it made (trial.csv, competing.csv) and the results (r_reference.csv: name, value; versions.csv).
suppressMessages({library(survival); library(cmprsk); library(mvtnorm); library(rpact)})
out <- commandArgs(trailingOnly = TRUE)[1]
results <- list()
put <- function(name, value) results[[name]] <<- sprintf("%.15g", value)

set.seed(20261122)
n <- 180
trial <- data.frame(arm = rep(c("experimental", "control"), each = n / 2),
                    stratum = sample(c("low", "high", "very_high"), n, TRUE), age = round(rnorm(n, 60, 8)))
early <- rexp(n, ifelse(trial$arm == "experimental", 1 / 700, 1 / 420))
late <- rexp(n, 1 / 900)
death <- early * ifelse(trial$stratum == "high", 0.7, 1)
cut <- runif(n, 200, 900)
trial$time <- ceiling(pmin(death, late, cut) / 14) * 14      # fortnightly visits: many ties
trial$event <- pmin(death, late) <= cut
write.csv(trial, file.path(out, "trial.csv"), row.names = FALSE, quote = FALSE)
x <- as.numeric(trial$arm == "experimental")
surv <- Surv(trial$time, trial$event)

for (a in c("experimental", "control")) {
  fit <- survfit(surv[trial$arm == a] ~ 1, conf.type = "log-log")
  for (day in c(182, 364)) {
    s <- summary(fit, times = day)
    put(paste("km", a, day, "survival", sep = "."), s$surv); put(paste("km", a, day, "se", sep = "."), s$std.err)
    put(paste("km", a, day, "lower", sep = "."), s$lower); put(paste("km", a, day, "upper", sep = "."), s$upper)
    put(paste("km", a, day, "at_risk", sep = "."), s$n.risk)
  }
  m <- summary(fit)$table
  put(paste("median", a, "value", sep = "."), m["median"]); put(paste("median", a, "lower", sep = "."), m["0.95LCL"])
  r <- survival:::survmean(fit, rmean = 540)$matrix
  put(paste("rmst", a, "value", sep = "."), r["rmean"]); put(paste("rmst", a, "se", sep = "."), r["se(rmean)"])
}
put("logrank.chisq", survdiff(surv ~ x)$chisq)
put("logrank_stratified.chisq", survdiff(surv ~ x + strata(trial$stratum))$chisq)
put("logrank_fh10.chisq", survdiff(surv ~ x, rho = 1)$chisq)
for (model in c("plain", "stratified", "adjusted")) {
  fit <- switch(model, plain = coxph(surv ~ x), stratified = coxph(surv ~ x + strata(trial$stratum)),
                adjusted = coxph(surv ~ x + trial$age))
  put(paste("cox", model, "coef", sep = "."), coef(fit)[1]); put(paste("cox", model, "se", sep = "."), sqrt(vcov(fit)[1, 1]))
}
put("zph.chisq", cox.zph(coxph(surv ~ x), transform = "km")$table[1, "chisq"])

cause <- ifelse(trial$event, sample(1:2, n, TRUE, c(0.7, 0.3)), 0)
competing <- data.frame(arm = trial$arm, time = trial$time, cause = cause)
write.csv(competing, file.path(out, "competing.csv"), row.names = FALSE, quote = FALSE)
fit <- cuminc(competing$time, competing$cause, competing$arm)
for (k in 1:2) put(paste("gray.cause", k, sep = ""), fit$Tests[k, "stat"])
stratified <- cuminc(competing$time, competing$cause, competing$arm, strata = trial$stratum)
for (k in 1:2) put(paste("gray_stratified.cause", k, sep = ""), stratified$Tests[k, "stat"])
at <- timepoints(fit, c(182, 364))
for (row in rownames(at$est)) for (day in colnames(at$est)) {
  name <- paste("incidence", sub(" ", ".cause", row), day, sep = ".")
  put(paste(name, "value", sep = "."), at$est[row, day]); put(paste(name, "se", sep = "."), sqrt(at$var[row, day]))
}

# Fleming-Harrington scores of 140 events while the pooled survival falls from 1 to 0.35
pooled <- seq(1, 0.35, length.out = 140)
moments <- sapply(0:4, function(j) sum(0.25 * pooled^j))
weights <- rbind(c(1, 0, 0), c(1, -1, 0), c(0, 1, 0), c(0, 1, -1))
hankel <- outer(0:2, 0:2, function(i, j) moments[i + j + 1])
covariance <- weights %*% hankel %*% t(weights)
correlation <- cov2cor(covariance)
precise <- GenzBretz(maxpts = 2e7, abseps = 1e-8)
set.seed(1)
for (edge in c(1.2, 2.1, 2.9)) {
  # FH(0,0) is the sum of FH(0,1) and FH(1,0): the matrix is singular, so it gets a ridge of 1e-7
  ridge <- correlation + diag(4) * 1e-7
  put(sprintf("maxcombo.two_sided.%g", edge), 1 - pmvnorm(rep(-edge, 4), rep(edge, 4), sigma = ridge, algorithm = precise))
  put(sprintf("maxcombo.one_sided.%g", edge), 1 - pmvnorm(rep(-edge, 4), rep(Inf, 4), sigma = ridge, algorithm = precise))
}
for (kind in c("asOF", "asP")) {
  design <- getDesignGroupSequential(informationRates = c(0.35, 0.7, 1), alpha = 0.025, sided = 1, typeOfDesign = kind)
  for (k in 1:3) put(paste("boundary", kind, k, sep = "."), design$criticalValues[k])
}
put("binomial.lower", binom.test(17, 64)$conf.int[1]); put("binomial.upper", binom.test(17, 64)$conf.int[2])
write.csv(data.frame(name = names(results), value = unlist(results)), file.path(out, "r_reference.csv"),
          row.names = FALSE, quote = FALSE)
packages <- c("survival", "cmprsk", "mvtnorm", "rpact")
write.csv(data.frame(program = c("R", packages),
                     version = c(paste(R.version$major, R.version$minor, sep = "."), sapply(packages, function(p) as.character(packageVersion(p))))),
          file.path(out, "versions.csv"), row.names = FALSE, quote = FALSE)
