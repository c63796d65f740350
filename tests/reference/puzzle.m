% The puzzle's network: one hidden layer, the same activation in both layers, loss and gradient by hand.
%
%   octave puzzle.m INPUTS_FOLDER RESULTS_FOLDER
%
% Reads x.csv (samples, features), t.csv (samples, outputs), w1.csv (hidden, features + 1) and
% w2.csv (outputs, hidden + 1), the last column of a weight matrix being the bias. Writes losses.csv
% and, for each activation and delta, the gradients of both matrices in the same layout.
1;

function y = act(name, z)
  switch name
    case "sigmoid"
      y = 1 ./ (1 + exp(-z));
    case "tanh"
      y = tanh(z);
    case "relu"
      y = z .* (z > 0);
  end
end

function d = act_prime(name, z, y)
  switch name
    case "sigmoid"
      d = y .* (1 - y);
    case "tanh"
      d = 1 - y .^ 2;
    case "relu"
      d = double(z > 0);                 % 0 at z = 0
  end
end

function e = loss_of(name, y, t, tiny)
  e = 0;
  for i = 1:rows(y)
    for k = 1:columns(y)
      p = y(i, k);
      switch name
        case "squared_error"
          e = e + 0.5 * (p - t(i, k)) ^ 2;
        case "binary_cross_entropy"
          e = e - t(i, k) * log(max(p, tiny)) - (1 - t(i, k)) * log(max(1 - p, tiny));
      end
    end
  end
end

function d = loss_prime(name, y, t, tiny)
  switch name
    case "squared_error"
      d = y - t;
    case "binary_cross_entropy"
      d = zeros(size(y));
      kept = y > tiny;                   % d max(p, tiny) / dp is 1 here, else 0
      d(kept) = d(kept) - t(kept) ./ y(kept);
      kept = 1 - y > tiny;
      d(kept) = d(kept) + (1 - t(kept)) ./ (1 - y(kept));
  end
end

function [g1, g2] = back(name, x, w1, w2, z1, a1, delta)
  g1 = zeros(size(w1));
  g2 = zeros(size(w2));
  for i = 1:rows(x)
    d2 = delta(i, :)';
    d1 = (w2(:, 1:end-1)' * d2) .* act_prime(name, z1(i, :)', a1(i, :)');
    g2 = g2 + d2 * [a1(i, :), 1];
    g1 = g1 + d1 * [x(i, :), 1];
  end
end

function save_rows(path, m)
  f = fopen(path, "w");
  for i = 1:rows(m)
    fprintf(f, "%.17g,", m(i, 1:end-1));
    fprintf(f, "%.17g\n", m(i, end));
  end
  fclose(f);
end

args = argv();
in = args{end-1};
out = args{end};
x = dlmread(fullfile(in, "x.csv"), ",");
t = dlmread(fullfile(in, "t.csv"), ",");
w1 = dlmread(fullfile(in, "w1.csv"), ",");
w2 = dlmread(fullfile(in, "w2.csv"), ",");
tiny = 2 ^ -52;

f = fopen(fullfile(out, "losses.csv"), "w");
fprintf(f, "activation,loss,value\n");
for activation = {"sigmoid", "tanh", "relu"}
  name = activation{1};
  z1 = x * w1(:, 1:end-1)' + w1(:, end)';
  a1 = act(name, z1);
  z2 = a1 * w2(:, 1:end-1)' + w2(:, end)';
  y = act(name, z2);
  for loss = {"squared_error", "binary_cross_entropy"}
    fprintf(f, "%s,%s,%.17g\n", name, loss{1}, loss_of(loss{1}, y, t, tiny));
    delta = loss_prime(loss{1}, y, t, tiny) .* act_prime(name, z2, y);
    [g1, g2] = back(name, x, w1, w2, z1, a1, delta);
    save_rows(fullfile(out, [name "-" loss{1} "-exact-1.csv"]), g1);
    save_rows(fullfile(out, [name "-" loss{1} "-exact-2.csv"]), g2);
  end
  % y - t, whatever the loss
  [g1, g2] = back(name, x, w1, w2, z1, a1, y - t);
  save_rows(fullfile(out, [name "-y_minus_t-1.csv"]), g1);
  save_rows(fullfile(out, [name "-y_minus_t-2.csv"]), g2);
end
fclose(f);
